"""Conditions as users write them, and regions."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import lance
import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.errors import QueryError
from terradrift.period import Period
from terradrift.query import region
from terradrift.query.where import Where
from tests.query.conftest import changes_table

SQUARE = shapely.box(3.0, 50.0, 3.1, 50.1)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> lance.LanceDataset:
    path = tmp_path_factory.mktemp("where") / "t.lance"
    return lance.write_dataset(changes_table(300), str(path))


def matches(table: lance.LanceDataset, where: Where) -> pa.Table:
    return table.to_table(filter=where.scalar("onset", table.schema.names))


def test_no_condition_asks_for_nothing(table: lance.LanceDataset) -> None:
    assert Where.parse().scalar("onset", table.schema.names) is None


longitudes = st.floats(2.95, 3.2).map(lambda x: round(x, 4))
latitudes = st.floats(49.95, 50.2).map(lambda x: round(x, 4))


@given(x=st.tuples(longitudes, longitudes), y=st.tuples(latitudes, latitudes))
@settings(max_examples=40, deadline=None)
def test_a_box_takes_the_rows_that_touch_it(
    table: lance.LanceDataset, x: tuple[float, float], y: tuple[float, float]
) -> None:
    (west, east), (south, north) = x, sorted(y)
    found = matches(table, Where.parse(bbox=(west, south, east, north)))
    boxes = table.to_table()["bbox"].to_pylist()
    expected = sum(
        b["ymin"] <= north
        and b["ymax"] >= south
        and (
            b["xmin"] <= east and b["xmax"] >= west
            if west <= east
            else b["xmin"] <= east or b["xmax"] >= west
        )
        for b in boxes
    )
    assert found.num_rows == expected


def test_a_row_across_the_antimeridian_is_found_from_both_sides(tmp_path: Path) -> None:
    box = {"xmin": 179.9, "ymin": 0.0, "xmax": -179.9, "ymax": 1.0}
    across = lance.write_dataset(pa.table({"bbox": [box]}), str(tmp_path / "t.lance"))

    def count(*edges: float) -> int:
        return across.count_rows(Where.parse(bbox=edges).scalar("", ["bbox"]))

    assert (
        count(179.95, 0, 180, 1)
        == count(-180, 0, -179.95, 1)
        == count(170, 0, -170, 1)
        == 1
    )
    assert count(-170, 0, 170, 1) == 0


def test_conditions_all_hold(table: lance.LanceDataset) -> None:
    where = Where.parse(
        between="2018-05/2018-06", kind=[1, 2], persistence="persistent", min_score=4
    )
    found = matches(table, where).to_pylist()
    assert found
    period = Period.parse("2018-05/2018-06")
    for row in found:
        assert row["onset"] in period
        assert row["kind"] in (1, 2)
        assert row["persistence"] == "persistent"
        assert row["score"] >= 4
    others = table.to_table().num_rows - len(found)
    assert others > 0


@pytest.mark.parametrize(
    "between",
    ["2018-05/2018-06", ("2018-05", "2018-06"), Period.parse("2018-05/2018-06")],
)
def test_periods_are_text_pairs_or_periods(
    table: lance.LanceDataset, between: Any
) -> None:
    found = matches(table, Where.parse(between=between))
    assert (
        found.num_rows
        == matches(table, Where.parse(between="2018-05/2018-06")).num_rows
        > 0
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bbox": (1, 2, 3)}, "expected a box west,south,east,north"),
        ({"bbox": "a,b,c,d"}, "expected a box west,south,east,north"),
        ({"bbox": (0, 60, 1, 50)}, "south below north, got 0,60,1,50"),
        ({"bbox": (500000, 5600000, 501000, 5601000)}, "in degrees"),
        ({"between": "yesterday"}, "expected a period such as"),
        ({"between": "2019/2018"}, "period is empty"),
        ({"kind": "forest"}, "expected kind as one or more whole numbers"),
        (
            {"persistence": "often"},
            "one of persistent, transient, gradual, seasonal, got 'often'",
        ),
        ({"min_score": float("nan")}, "finite number, got nan"),
        ({"within": "nowhere.geojson"}, "got no file nowhere.geojson"),
        ({"within": '{"type": "Point"'}, "cannot read the GeoJSON"),
        ({"within": shapely.Polygon()}, "is empty"),
        (
            {"within": shapely.box(500000, 5600000, 501000, 5601000)},
            "expected a region in degrees",
        ),
        (
            {"within": shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])},
            "Self-intersection",
        ),
    ],
)
def test_what_cannot_be_read_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        Where.parse(**given)
    assert "\n" not in str(caught.value)


def test_a_condition_on_a_column_that_is_not_there_is_said() -> None:
    with pytest.raises(QueryError, match="observations have no score"):
        Where.parse(min_score=1).scalar("datetime", ["patch_id", "datetime"])


def collection(shape: Any) -> dict[str, Any]:
    geometry = json.loads(shapely.to_geojson(shape))
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature]}


def test_regions_are_read_from_text_mapping_shape_and_files(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(geometry=[SQUARE], crs="OGC:CRS84")
    frame.to_crs(32631).to_file(tmp_path / "utm.gpkg", layer="a")
    frame.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.geojson").write_text(json.dumps(collection(SQUARE)))
    forms = [
        SQUARE,
        shapely.to_geojson(SQUARE),
        collection(SQUARE),
        tmp_path / "a.geojson",
        str(tmp_path / "utm.gpkg"),
        tmp_path / "a.parquet",
    ]
    for form in forms:
        found = region.parse(form)
        assert found.symmetric_difference(SQUARE).area < 1e-9, form


def test_a_file_without_crs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    with pytest.warns(UserWarning, match="crs"):
        gpd.GeoDataFrame(geometry=[SQUARE]).to_file(path, layer="a")
    with pytest.raises(QueryError, match="states no CRS"):
        region.parse(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    path.write_text("not a database")
    with pytest.raises(QueryError, match="cannot read") as caught:
        region.parse(path)
    assert "\n" not in str(caught.value)


def test_touched_is_exact_where_the_box_is_not() -> None:
    triangle = shapely.Polygon([(3.0, 50.0), (3.1, 50.0), (3.0, 50.1)])
    inside, corner = (
        shapely.box(3.01, 50.01, 3.02, 50.02),
        shapely.box(3.08, 50.08, 3.09, 50.09),
    )
    wkb = shapely.to_wkb([inside, corner]).tolist()
    touched = Where.parse(within=triangle).touched(wkb)
    np.testing.assert_array_equal(touched, [True, False])
