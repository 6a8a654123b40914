import pytest
import shapely

from terradrift.archive.request import box_geometry, filters


def test_a_box_over_the_antimeridian_is_two_polygons() -> None:
    area = box_geometry((179.0, -17.0, -179.0, -16.0))
    assert area.geom_type == "MultiPolygon"
    assert area.area == pytest.approx(2.0)


def test_a_box_restricts_the_patches_as_a_region_does() -> None:
    made = filters(bbox="3,50,4,51", datetime="2018-05/2018-06", collection="a")
    assert made.collections == ("a",)
    assert made.region is not None
    assert made.region.bounds == (3, 50, 4, 51)


def test_contradictions_and_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        filters(bbox="3,50,4,51", region=shapely.box(0, 0, 1, 1))
    with pytest.raises(ValueError, match="percentage from 0 to 100, got 120"):
        filters(max_cloud=120)
