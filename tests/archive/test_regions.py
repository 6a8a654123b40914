from pathlib import Path

import pytest
import shapely

from terradrift.archive import regions
from terradrift.archive.request import filters


def test_a_box_is_read_from_text_and_from_numbers() -> None:
    assert regions.box("3.0, 50.8,3.1,50.9") == regions.box([3.0, 50.8, 3.1, 50.9])


@pytest.mark.parametrize("text", ["3,50,4", "a,b,c,d", "3,51,4,50", "300,1,301,2"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a box west,south,east,north"):
        regions.box(text)


def test_a_box_over_the_antimeridian_is_two_polygons() -> None:
    area = regions.box_geometry((179.0, -17.0, -179.0, -16.0))
    assert area.geom_type == "MultiPolygon"
    assert area.area == pytest.approx(2.0)


def test_a_region_comes_from_geojson_text_or_a_file_in_any_crs(tmp_path: Path) -> None:
    import geopandas

    square = shapely.box(3.0, 50.8, 3.1, 50.9)
    assert regions.region(shapely.to_geojson(square)).equals(square)
    path = tmp_path / "area.gpkg"
    geopandas.GeoSeries([square], crs=4326).to_crs(32631).to_file(path)
    assert regions.region(path).symmetric_difference(square).area < 1e-6


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere.geojson", "no region file at"),
        ('{"type": "Point", "coordinates": [3, 50]}', "expected a region with an area"),
        ('{"type": "Nonsense"}', "expected GeoJSON"),
        (shapely.box(5e5, 5e6, 5.1e5, 5.1e6), "expected a region in degrees"),
    ],
)
def test_what_is_no_region_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regions.region(value)  # type: ignore[arg-type]


def test_a_file_that_is_no_vector_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "area.geojson"
    path.write_text("not a vector file")
    with pytest.raises(ValueError, match="expected a vector file"):
        regions.region(path)


def test_filters_are_parsed_once() -> None:
    made = filters(bbox="3,50,4,51", datetime="2018-05/2018-06", collection="a")
    assert made.collections == ("a",)
    assert made.region is not None
    assert made.region.bounds == (3, 50, 4, 51)
    with pytest.raises(ValueError, match="not both"):
        filters(bbox="3,50,4,51", region=shapely.box(0, 0, 1, 1))
    with pytest.raises(ValueError, match="percentage from 0 to 100, got 120"):
        filters(max_cloud=120)
