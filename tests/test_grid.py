import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.grid import TILE_PATCHES, Grid, parse_id, tile_patches, utm_zone


def test_the_same_ground_keeps_its_patch_id_whatever_box_asks() -> None:
    grid = Grid(40, 10.0)
    whole = grid.patch_ids(
        32631, *grid.cells(32631, 501_360, 5_629_040, 502_000, 5_629_680)
    )
    part = grid.patch_ids(
        32631, *grid.cells(32631, 501_500, 5_629_100, 501_700, 5_629_300)
    )
    assert len(whole) == 256
    assert set(part) < set(whole)


def test_a_box_on_the_grid_gives_no_patch_beyond_its_edges() -> None:
    grid = Grid(40)
    row, col = grid.cells(32631, 501_360, 5_629_040, 501_400, 5_629_080)
    assert (row.tolist(), col.tolist()) == ([140_726], [12_534])


def test_ids_say_crs_size_column_and_row() -> None:
    grid = Grid(160)
    (name,) = grid.patch_ids(32631, np.array([35_181]), np.array([3_133]))
    assert name == "32631_160m_3133_35181"
    assert parse_id(name) == (32631, 35_181, 3_133)
    with pytest.raises(ValueError, match="expected an id such as"):
        parse_id("somewhere")


@settings(max_examples=50)
@given(
    lon=st.floats(-179.9, 179.9),
    lat=st.floats(-79, 83),
    size=st.sampled_from([40, 160, 640]),
)
def test_every_place_has_exactly_one_patch_in_one_zone(
    lon: float, lat: float, size: int
) -> None:
    import pyproj

    grid = Grid(size)
    edge = 0.02
    zones = grid.zones(
        max(-180, lon - edge), max(-80, lat - edge), min(180, lon + edge), lat + edge
    )
    owned = 0
    for epsg in zones:
        x, y = pyproj.Transformer.from_crs(4326, epsg, always_xy=True).transform(
            lon, lat
        )
        row, col = np.array([int(y // size)]), np.array([int(x // size)])
        centre = grid.centers(epsg, row, col)
        owned += int(grid.owns(epsg, centre[:, 0], centre[:, 1])[0])
    # Beside a zone's edge a place may lie in squares of both zones or, in a sliver
    # narrower than a patch, in none; everywhere else in exactly one.
    near_edge = abs((lon + 180) % 6 - 3) > 2.9 or abs(lat) < edge
    assert owned == 1 or near_edge


def test_a_box_over_the_antimeridian_lies_in_zones_60_and_1() -> None:
    assert Grid().zones(179.5, -17, -179.5, -16) == [32701, 32760]


def test_a_box_over_the_equator_lies_in_both_halves() -> None:
    assert Grid().zones(36.8, -0.1, 36.9, 0.1) == [32637, 32737]


def test_patches_of_another_zone_are_left_out() -> None:
    grid = Grid(640)
    # A box in zone 31's metres that reaches past 6 degrees east, where zone 32 begins.
    row, col = grid.cells(32631, 690_000, 5_600_000, 740_000, 5_610_000)
    lon = grid.centers(32631, row, col)[:, 0]
    assert 5.9 < lon.max() < 6.0


def test_tiles_hold_their_patches() -> None:
    grid = Grid(160, 10.0)
    row, col = grid.cells(32631, 500_000, 5_600_000, 520_000, 5_620_000)
    tiles = grid.tile_of(32631, row, col)
    for tile in set(tiles):
        epsg, row0, col0 = grid.tile_cells(tile)
        inside = tiles == tile
        assert epsg == 32631
        assert ((row[inside] - row0) // TILE_PATCHES == 0).all()
        assert ((col[inside] - col0) // TILE_PATCHES == 0).all()


def test_corners_go_around_the_centre_counter_clockwise() -> None:
    grid = Grid(160)
    row, col = np.array([35_181]), np.array([3_133])
    ring = grid.corners(32631, row, col)[0]
    area = 0.5 * sum(
        ring[i, 0] * ring[(i + 1) % 4, 1] - ring[(i + 1) % 4, 0] * ring[i, 1]
        for i in range(4)
    )
    assert area > 0
    assert np.allclose(ring.mean(axis=0), grid.centers(32631, row, col)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_size": 0}, "whole number of metres above 0, got 0"),
        (
            {"patch_size": 160, "gsd": 30},
            "5.33 pixels of 30 m; pass --patch-size as a multiple of 30",
        ),
        ({"crs": "EPSG:4326"}, "projected EPSG code, got 'EPSG:4326'"),
        ({"crs": "EPSG:2263"}, "must be in metres"),
        ({"crs": "nonsense"}, "expected a grid CRS"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Grid(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((3, 51, 4, 50), "expected a box west,south,east,north"),
        ((500_000, 50, 500_100, 51), "expected a box west,south,east,north"),
        ((3, 83, 4, 86), "UTM ends at 84 N"),
    ],
)
def test_a_box_that_no_grid_can_hold_is_refused(
    box: tuple[float, float, float, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Grid().zones(*box)


def test_patch_px_needs_a_gsd() -> None:
    assert Grid(160, 10.0).patch_px == 16
    with pytest.raises(ValueError, match="grid has no gsd yet"):
        _ = Grid(160).patch_px


def test_utm_zones_are_six_degrees_wide() -> None:
    assert [utm_zone(lon) for lon in (-180, -174.01, 0, 3, 5.99, 6, 179.9, 180)] == [
        1,
        1,
        31,
        31,
        31,
        32,
        60,
        60,
    ]


def test_a_tile_of_large_patches_has_fewer_so_that_its_pixels_fit_in_memory() -> None:
    assert [tile_patches(px) for px in (1, 16, 64)] == [TILE_PATCHES] * 3
    assert [tile_patches(px) for px in (65, 128, 224, 512, 3000)] == [16, 16, 8, 4, 1]
    assert Grid(2240, 10.0).tile_patches == 8
    assert Grid(2240, 10.0).tile_size == 17_920
    tiles = Grid(2240, 10.0).tile_of(32631, np.array([7, 8, -1]), np.array([0, 15, 16]))
    assert tiles.tolist() == ["32631_2240m_0_0", "32631_2240m_1_1", "32631_2240m_2_-1"]
