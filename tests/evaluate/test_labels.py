from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from terradrift.errors import SourceError
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.labels import Labels, read_area, read_vector

POINTS = [shapely.Point(3.0 + step / 100, 50.8) for step in range(4)]


def geojson(folder: Path, columns: dict[str, list[object]], **how: object) -> Path:
    count = len(next(iter(columns.values())))
    path = folder / "labels.geojson"
    gpd.GeoDataFrame(columns, geometry=POINTS[:count], crs=4326).to_file(path)
    return path


def csv(folder: Path, columns: dict[str, list[object]]) -> Path:
    path = folder / "labels.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def days(labels: Labels) -> list[tuple[str, str]]:
    return list(zip(map(str, labels.onset), map(str, labels.latest), strict=True))


def test_dates_and_classes_are_found_by_name_and_said(tmp_path: Path) -> None:
    path = geojson(
        tmp_path, {"Event_Date": ["2018-05-16", "2018-08"], "type": ["a", None]}
    )
    labels = read_vector(path, Reading())
    assert days(labels) == [("2018-05-16", "2018-05-16"), ("2018-08-01", "2018-08-31")]
    assert labels.kind.tolist() == ["a", ""]
    assert labels.notes == (
        "classes are read from type",
        "dates are read from Event_Date",
    )


def test_a_single_date_is_preferred_to_a_pair_unless_asked_for(tmp_path: Path) -> None:
    columns = {"onset": ["2018-05-16"], "start": ["2018-05-01"], "end": ["2018-06-01"]}
    path = geojson(tmp_path, columns)
    assert days(read_vector(path, Reading())) == [("2018-05-16", "2018-05-16")]
    asked = read_vector(path, Reading(date_field="start, end"))
    assert days(asked) == [("2018-05-01", "2018-06-01")]
    del columns["onset"]
    again = read_vector(geojson(tmp_path, columns), Reading())
    assert days(again) == [("2018-05-01", "2018-06-01")]


def test_years_and_missing_dates_are_read(tmp_path: Path) -> None:
    columns = {"lon": [3.0, 3.1, 3.2], "lat": [50.0, 50.1, 50.2]}
    years = csv(tmp_path, {**columns, "year": [2018, None, 20180516]})
    assert days(read_vector(years, Reading())) == [
        ("2018-01-01", "2018-12-31"),
        ("NaT", "NaT"),
        ("2018-05-16", "2018-05-16"),
    ]


def test_one_date_may_be_given_for_all(tmp_path: Path) -> None:
    path = geojson(tmp_path, {"onset": ["2018-05-16", "2018-05-17"]})
    labels = read_vector(path, Reading(date="2018-10-28/2018-10-29"))
    assert days(labels) == [("2018-10-28", "2018-10-29")] * 2


def test_a_table_holds_patches_and_rows_that_did_not_change(tmp_path: Path) -> None:
    path = csv(tmp_path, {"patch_id": ["a", "b", "b"], "changed": [1, 0, 0]})
    labels = read_vector(path, Reading())
    assert labels.patch_id.tolist() == ["a", "b"]
    assert labels.changed.tolist() == [True, False]
    assert "1 labels that repeat another one are left out" in labels.notes


def test_shapes_that_are_empty_or_broken_are_counted(tmp_path: Path) -> None:
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    frame = gpd.GeoDataFrame(geometry=[bow, None, shapely.Point()], crs=4326)
    frame.to_file(tmp_path / "labels.gpkg")
    labels = read_vector(tmp_path / "labels.gpkg", Reading())
    assert len(labels) == 1
    assert shapely.area(labels.shapes[0]) == pytest.approx(0.5)
    assert labels.notes[:2] == (
        "2 labels without a place are left out",
        "1 labels that were not valid shapes were mended",
    )


def test_geoparquet_and_plain_parquet_are_both_read(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"onset": ["2020-01-01"]}, geometry=POINTS[:1], crs=32631)
    frame.to_parquet(tmp_path / "shapes.parquet")
    assert "32631" in read_vector(tmp_path / "shapes.parquet", Reading()).crs
    pd.DataFrame({"longitude": [3.0], "latitude": [50.0]}).to_parquet(
        tmp_path / "plain.parquet"
    )
    assert len(read_area(tmp_path / "plain.parquet")) == 1


@pytest.mark.parametrize(
    ("columns", "reading", "problem"),
    [
        (
            {"onset": ["soon"]},
            {},
            "expected a date such as 2018-05-16 .* 'soon' in onset",
        ),
        ({"onset": ["2018"]}, {"date_field": "day"}, "has no column day, it has onset"),
        ({"onset": ["2018"]}, {"class_field": "k"}, "has no column k, it has onset"),
        ({"start": ["2019"], "end": ["2018"]}, {}, "expected start not after end"),
        ({"changed": ["maybe"]}, {}, "expected true or false .* got 'maybe'"),
        ({"a": ["1"]}, {"date_field": "a,a,a"}, "one column of dates, or two"),
    ],
)
def test_bad_columns_are_refused(
    tmp_path: Path,
    columns: dict[str, list[object]],
    reading: dict[str, str],
    problem: str,
) -> None:
    with pytest.raises(SourceError, match=problem):
        read_vector(geojson(tmp_path, columns), Reading(**reading))


def test_bad_files_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.geojson"
    broken.write_text("{")
    no_place = csv(tmp_path, {"a": [1]})
    far = tmp_path / "far.csv"
    far.write_text("lon,lat\n500000,5600000\n")
    empty = tmp_path / "empty.geojson"
    empty.write_text('{"type": "FeatureCollection", "features": []}')
    for path, problem in (
        (tmp_path / "absent.geojson", "got no file"),
        (broken, "cannot read"),
        (no_place, "longitude and latitude, or patch_id"),
        (far, "expected lon and lat in degrees"),
        (empty, "holds none"),
    ):
        with pytest.raises(SourceError, match=problem):
            read_vector(path, Reading())


def test_shapes_without_a_crs_are_refused(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"a": np.arange(1)}, geometry=POINTS[:1])
    frame.to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(SourceError, match="state no CRS"):
        read_vector(tmp_path / "labels.parquet", Reading())
