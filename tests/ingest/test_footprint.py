"""Footprints in degrees, against rasterio's own, and across the antimeridian."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import transform_bounds

from terradrift.errors import SourceError
from terradrift.ingest.footprint import bounds, footprint, pixel_metres


@settings(max_examples=40, deadline=None)
@given(
    st.integers(32601, 32660),
    st.floats(400_000, 550_000),
    st.floats(500_000, 7_000_000),
    st.integers(1, 4000),
)
def test_bounds_are_those_of_rasterio(epsg: int, x: float, y: float, size: int) -> None:
    crs = f"EPSG:{epsg}"
    box = bounds(footprint(crs, (10, 0, x, 0, -10, y), (size, size)))
    expected = transform_bounds(crs, "EPSG:4326", x, y - size * 10, x + size * 10, y)
    # Rasterio's edges have other points in between: 40 km bend by less than 1e-4 degree.
    assert list(box.values()) == pytest.approx(expected, abs=1e-4)


def test_a_raster_in_degrees_is_its_own_footprint() -> None:
    outline = footprint("EPSG:4326", (0.5, 0, 10, 0, -0.5, 50), (4, 6))
    assert outline.equals(shapely.box(10, 48, 13, 50))


def test_a_raster_across_the_antimeridian_is_in_two_parts() -> None:
    # UTM zone 60 ends at 180 east; 833 km east of its edge at the equator is past it.
    transform = (10.0, 0.0, 800_000.0, 0.0, -10.0, 200_000.0)
    outline = footprint("EPSG:32660", transform, (10_000, 10_000))
    box = bounds(outline)
    assert outline.geom_type == "MultiPolygon"
    assert box["xmin"] == pytest.approx(179.69, abs=0.01)
    assert box["xmax"] == pytest.approx(-179.41, abs=0.01)
    assert outline.area < 1.0
    assert outline.is_valid


@pytest.mark.parametrize("west", [179.5, -180.5])
def test_degrees_past_180_are_the_same_ground(west: float) -> None:
    outline = footprint("EPSG:4326", (0.01, 0, west, 0, -0.01, 1.0), (100, 100))
    box = bounds(outline)
    assert (box["xmin"], box["xmax"]) == pytest.approx((179.5, -179.5))
    assert outline.area == pytest.approx(1.0)


@pytest.mark.parametrize(("crs", "pole"), [("EPSG:3995", 90.0), ("EPSG:3031", -90.0)])
def test_a_raster_over_a_pole_reaches_it(crs: str, pole: float) -> None:
    outline = footprint(crs, (1000, 0, -1e6, 0, -1000, 1e6), (2000, 2000))
    assert outline.is_valid
    assert outline.covers(shapely.Point(0.0, pole))
    assert outline.covers(shapely.Point(123.0, pole * 0.95))
    assert not outline.covers(shapely.Point(123.0, pole * 0.8))


def test_degrees_from_0_to_360_are_the_whole_world() -> None:
    outline = footprint("EPSG:4326", (1, 0, 0, 0, -1, 90), (180, 360))
    assert outline.equals(shapely.box(-180, -90, 180, 90))


def test_a_raster_that_ends_at_180_is_one_part() -> None:
    outline = footprint("EPSG:4326", (0.01, 0, 179.0, 0, -0.01, 1.0), (100, 100))
    assert outline.geom_type == "Polygon"
    assert bounds(outline)["xmax"] == 180.0


def test_the_whole_world_is_one_box() -> None:
    outline = footprint("EPSG:4326", (1, 0, -180, 0, -1, 90), (180, 360))
    assert outline.equals(shapely.box(-180, -90, 180, 90))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", (10.0, 0.0, 499_980.0, 0.0, -10.0, 5_700_000.0)),
        ("EPSG:32631", (10.0, 0.0, 9e9, 0.0, -10.0, 9e9)),
    ],
)
def test_a_raster_outside_its_crs_is_refused(
    crs: str, transform: tuple[float, ...]
) -> None:
    a, b, c, d, e, f = transform
    with pytest.raises(SourceError, match=f"inside {crs}, got a corner at x="):
        footprint(crs, (a, b, c, d, e, f), (100, 100))


def test_an_unknown_crs_is_refused() -> None:
    with pytest.raises(SourceError, match="expected a CRS such as EPSG:32631, got 'x'"):
        footprint("x", (1, 0, 0, 0, -1, 0), (1, 1))


def test_pixels_in_metres_are_their_finer_side() -> None:
    assert pixel_metres("EPSG:32631", (20, 0, 0, 0, -10, 0), None) == 10.0
    turned = (
        10 * np.cos(0.3),
        10 * np.sin(0.3),
        0,
        10 * np.sin(0.3),
        -10 * np.cos(0.3),
        0,
    )
    assert pixel_metres("EPSG:32631", turned, 99.0) == pytest.approx(10.0)


def test_pixels_in_feet_are_converted() -> None:
    assert pixel_metres("EPSG:2263", (10, 0, 0, 0, -10, 0), None) == pytest.approx(
        3.048, abs=1e-4
    )


def test_pixels_in_degrees_have_the_stated_size_where_it_fits() -> None:
    transform = (0.00018, 0, -121.6, 0, -0.00018, 40)
    assert pixel_metres("EPSG:4326", transform, 20.0) == 20.0
    assert pixel_metres("EPSG:4326", transform, 60.0) == 20.0
    assert pixel_metres("EPSG:4326", transform, None) == 20.0
    small = (5e-6, 0, 0, 0, -5e-6, 0)
    assert pixel_metres("EPSG:4326", small, None) == pytest.approx(0.56)
