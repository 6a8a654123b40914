import json
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.transform import Affine

from terradrift import schema
from terradrift.errors import SourceError
from terradrift.grid import Grid, parse_id
from terradrift.ingest.plan import patches, plan
from terradrift.ingest.walk import Walk
from tests.ingest.rasters import DAY, asset, planned, scene, table

NOWHERE = Path("never-opened.tif")


def square(  # noqa: PLR0917 - a builder of test rows
    scene_id: str = "a",
    crs: str = "EPSG:32631",
    corner: tuple[float, float] = (500_000.0, 5_000_000.0),
    size: tuple[int, int] = (100, 100),
    gsd: float = 10.0,
    when: datetime = DAY,
    **fields: object,
) -> dict[str, object]:
    transform = Affine(gsd, 0, corner[0], 0, -gsd, corner[1])
    return scene(scene_id, [asset("b0", NOWHERE)], crs, transform, size, when, **fields)


def lonlat(crs: str, x: float, y: float) -> tuple[float, float]:
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)


def test_patches_are_those_the_raster_overlaps() -> None:
    grid = Grid(160, 10.0)
    found = patches(table([square(corner=(500_010.0, 5_000_010.0))]), grid, None)
    schema.check(found.schema, schema.patches())
    cols, rows = set(found["col"].to_pylist()), set(found["row"].to_pylist())
    assert cols == set(range(500_010 // 160, math.ceil(501_010 / 160)))
    assert rows == set(range(4_999_010 // 160, math.ceil(5_000_010 / 160)))
    assert len(found) == len(cols) * len(rows)
    assert set(found["crs"].to_pylist()) == {"EPSG:32631"}


def test_a_raster_smaller_than_a_patch_has_the_patch_it_lies_in() -> None:
    found = patches(table([square(size=(3, 5))]), Grid(160, 10.0), None)
    assert found["patch_id"].to_pylist() == ["32631_160m_3125_31249"]


def test_scenes_of_one_place_give_each_patch_once() -> None:
    rows = [square("a"), square("b"), square("c", corner=(500_480.0, 5_000_000.0))]
    found = patches(table(rows), Grid(160, 10.0), None)["patch_id"].to_pylist()
    assert len(found) == len(set(found)) == 10 * 7


def test_patches_end_with_the_region() -> None:
    grid = Grid(160, 10.0)
    west, south = lonlat("EPSG:32631", 500_200.0, 4_999_500.0)
    east, north = lonlat("EPSG:32631", 500_300.0, 4_999_600.0)
    region = shapely.box(west, south, east, north)
    found = patches(table([square()]), grid, region)
    assert sorted(
        zip(found["col"].to_pylist(), found["row"].to_pylist(), strict=True)
    ) == [
        (3126, 31246),
        (3126, 31247),
    ]


@pytest.mark.parametrize("epsg", [32631, 32731])
@settings(max_examples=20, deadline=None)
@given(
    x=st.floats(760_000, 830_000),
    y=st.floats(-30_000, 30_000),
    height=st.integers(20, 90),
    width=st.integers(20, 90),
)
def test_patches_of_a_warped_footprint_are_those_that_share_ground_with_it(
    epsg: int, x: float, y: float, height: int, width: int
) -> None:
    """Near a zone's edge and the equator, where up to four zones hold the patches."""
    y += 10_000_000 if epsg == 32731 else 0
    grid, crs = Grid(400, 100.0), f"EPSG:{epsg}"
    row = square(crs=crs, corner=(x, y), size=(height, width), gsd=100.0)
    found = patches(table([row]), grid, None)
    footprint = shapely.box(x, y - 100.0 * height, x + 100.0 * width, y)
    covered = 0.0
    for place in found["crs"].unique().to_pylist():
        here = found.filter(np.array(found["crs"].to_pylist()) == place)
        zone = int(place[5:])
        around = [
            slice(min(here[name].to_pylist()) - 4, max(here[name].to_pylist()) + 5)
            for name in ("row", "col")
        ]
        rows, cols = np.mgrid[*around]
        rows, cols = rows.ravel(), cols.ravel()
        own = grid.owns(zone, *grid.centers(zone, rows, cols).T)
        rows, cols = rows[own], cols[own]
        warp = Transformer.from_crs(place, crs, always_xy=True).transform
        px = np.stack([cols, cols + 1, cols + 1, cols], 1) * 400.0
        py = np.stack([rows, rows, rows + 1, rows + 1], 1) * 400.0
        shapes = shapely.polygons(np.stack(warp(px, py), axis=-1))
        shared = shapely.area(shapely.intersection(shapes, footprint))
        given_ = set(zip(here["row"].to_pylist(), here["col"].to_pylist(), strict=True))
        sure = set(
            zip(rows[shared > 100].tolist(), cols[shared > 100].tolist(), strict=True)
        )
        never = set(
            zip(rows[shared == 0].tolist(), cols[shared == 0].tolist(), strict=True)
        )
        covered += shared.sum()
        assert sure <= given_
        assert not given_ & never
    # Zones meet at an angle: slivers along the seams have two patches or none.
    assert covered == pytest.approx(footprint.area, rel=0.05)


def test_a_footprint_across_two_zones_gives_each_place_one_patch() -> None:
    grid = Grid(160, 10.0)
    x, y = Transformer.from_crs(4326, 32631, always_xy=True).transform(6.0, 45.0)
    row = square(corner=(x - 5_000, y + 5_000), size=(1000, 1000))
    found = patches(table([row]), grid, None)
    assert set(found["crs"].to_pylist()) == {"EPSG:32631", "EPSG:32632"}
    shapes = shapely.from_wkb(found["geometry"].to_pylist())
    tree = shapely.STRtree(shapes)
    rng = np.random.default_rng(0)
    inside = np.column_stack(
        Transformer.from_crs(32631, 4326, always_xy=True).transform(
            x + rng.uniform(-5_000, 5_000, 4000), y + rng.uniform(-5_000, 5_000, 4000)
        )
    )
    counts = np.bincount(
        tree.query(shapely.points(inside), predicate="within")[0], minlength=4000
    )
    seam = np.abs(inside[:, 0] - 6.0) < 0.003
    assert (counts[~seam] == 1).all()
    # Where squares of two zones meet at an angle they leave slivers and overlap a little.
    assert counts[seam].max() <= 2
    assert (counts[seam] > 0).mean() > 0.9


@pytest.mark.parametrize("kind", ["utm60", "utm1", "degrees", "footprint"])
def test_a_footprint_across_the_antimeridian_gives_each_place_one_patch(
    kind: str,
) -> None:
    grid = Grid(1000, 100.0)
    if kind == "utm60":
        x, y = Transformer.from_crs(4326, 32660, always_xy=True).transform(180, 10)
        row = square(
            crs="EPSG:32660", corner=(x - 10_000, y), size=(200, 200), gsd=100.0
        )
    elif kind == "utm1":
        x, y = Transformer.from_crs(4326, 32601, always_xy=True).transform(180, 10)
        row = square(
            crs="EPSG:32601", corner=(x - 10_000, y), size=(200, 200), gsd=100.0
        )
    elif kind == "degrees":
        row = square(crs="EPSG:4326", corner=(179.9, 10.0), size=(200, 200), gsd=0.001)
    else:
        halves = shapely.MultiPolygon(
            [shapely.box(179.9, 9.8, 180, 10), shapely.box(-180, 9.8, -179.9, 10)]
        )
        row = square(geometry=shapely.to_wkb(halves), stac_item=None)
    found = patches(table([row]), grid, None)
    zones = found["crs"].to_pylist()
    assert set(zones) == {"EPSG:32660", "EPSG:32601"}
    assert 400 <= len(found) <= 570
    longitudes = np.abs(found["longitude"].to_numpy())
    assert longitudes.min() > 179.85
    boxes = found["bbox"].to_pylist()
    assert max(box["xmax"] - box["xmin"] for box in boxes) < 0.02
    assert 0.4 < zones.count("EPSG:32660") / len(zones) < 0.6


def test_a_scene_just_north_of_its_southern_zone_has_northern_patches() -> None:
    row = square(crs="EPSG:32737", corner=(500_000.0, 10_001_000.0), size=(200, 100))
    found = patches(table([row]), Grid(160, 10.0), None)
    assert set(found["crs"].to_pylist()) == {"EPSG:32637", "EPSG:32737"}
    latitudes = found["latitude"].to_numpy()
    north = np.array(found["crs"].to_pylist()) == "EPSG:32637"
    assert (latitudes[north] >= 0).all()
    assert (latitudes[~north] < 0).all()


def test_a_grid_in_one_crs_holds_all_patches() -> None:
    grid = Grid(160, 10.0, "EPSG:3035")
    found = patches(table([square()]), grid, None)
    assert set(found["crs"].to_pylist()) == {"EPSG:3035"}
    assert 39 <= len(found) <= 70


def test_a_scene_that_says_nothing_of_its_place_is_refused() -> None:
    row = square("lost", stac_item=None)
    with pytest.raises(SourceError, match=r"scene lost: .* expected proj:transform"):
        patches(table([row]), Grid(160, 10.0), None)


def test_the_place_may_stand_with_the_asset_or_as_a_box() -> None:
    said = json.loads(square()["stac_item"])["properties"]
    grid = Grid(160, 10.0)
    expected = patches(table([square()]), grid, None)
    item = {"assets": {"B0": {"href": f"https://x.org/{NOWHERE}?sig=1", **said}}}
    assert patches(table([square(stac_item=json.dumps(item))]), grid, None) == expected
    box = {
        "properties": {"proj:bbox": [500_000.0, 4_999_000.0, 501_000.0, 5_000_000.0]}
    }
    assert patches(table([square(stac_item=json.dumps(box))]), grid, None) == expected


def test_units_are_days_times_tiles_and_are_counted() -> None:
    grid = Grid(160, 10.0)
    days = [DAY, DAY + timedelta(days=1)]
    rows = [square(f"s{n}", size=(600, 600), when=day) for n, day in enumerate(days)]
    work = planned(rows, grid)
    found = patches(table(rows), grid, None)
    tiles = set(found["tile"].to_pylist())
    assert {(unit.day, unit.tile) for unit in work.units} == {
        (np.datetime64(day.date()), tile) for day in days for tile in tiles
    }
    assert work.scenes == 2
    assert work.observations == 2 * len(found)
    assert work.bytes == 2 * len(found) * 16 * 16 * 2  # one band of two bytes
    assert work.seconds(1e6) == work.bytes / 1e6
    for unit in work.units:
        expected = set(
            found.filter(np.array(found["tile"].to_pylist()) == unit.tile)[
                "patch_id"
            ].to_pylist()
        )
        assert set(unit.ground.patch_ids) == expected
        rows_cols = list(zip(-unit.ground.rows, unit.ground.cols, strict=True))
        assert rows_cols == sorted(rows_cols)


def test_bytes_follow_data_type_and_pixel_size() -> None:
    grid = Grid(160, 10.0)
    base = square(size=(16, 16))
    item = json.loads(base["stac_item"])
    mask = asset("mask:scl", Path("scl.tif"))
    item["assets"] = {
        "B0": {"href": str(NOWHERE), "raster:bands": [{"data_type": "float32"}]},
        "SCL": {"href": "scl.tif", "raster:bands": [{"spatial_resolution": 20}]},
    }
    row = base | {"assets": [*base["assets"], mask], "stac_item": json.dumps(item)}
    work = planned([row], grid)
    assert work.observations == 1
    assert work.bytes == 16 * 16 * 4 + 8 * 8


def test_a_unit_is_left_out_only_when_all_of_it_is_done() -> None:
    grid = Grid(160, 10.0)
    rows = [square("a"), square("b"), square("c", when=DAY + timedelta(days=1))]
    (tile,) = {unit.tile for unit in planned(rows, grid).units}
    assert [u.scene_ids for u in planned(rows, grid).units] == [("a", "b"), ("c",)]
    late = planned(rows, grid, done=[("a", tile), ("c", tile)])
    assert [unit.scene_ids for unit in late.units] == [("b",)]
    assert late.scenes == 1
    nothing = planned(rows, grid, done=[(name, tile) for name in "abc"])
    assert (nothing.units, nothing.scenes, nothing.bytes) == ((), 0, 0)


def test_a_day_is_a_utc_day() -> None:
    before = datetime(2020, 6, 1, 23, 59, tzinfo=UTC)
    rows = [square("a", when=before), square("b", when=before + timedelta(minutes=2))]
    assert [u.scene_ids for u in planned(rows, Grid(160, 10.0)).units] == [
        ("a",),
        ("b",),
    ]


def test_a_unit_knows_which_scene_covers_which_patch() -> None:
    rows = [
        square("a", size=(32, 32)),
        square("b", size=(32, 32), corner=(500_160.0, 5_000_000.0)),
    ]
    (unit,) = planned(rows, Grid(160, 10.0)).units
    assert unit.ground.cols[:3].tolist() == [3125, 3126, 3127]
    assert unit.ground.covered[:, :3].tolist() == [
        [True, True, False],
        [False, True, True],
    ]


def test_only_patches_of_the_table_are_planned() -> None:
    grid = Grid(160, 10.0)
    scenes = table([square()])
    some = patches(scenes, grid, None).slice(5, 7)
    work = plan(scenes, some, grid, ("b0",), ())
    assert work.observations == 7
    (unit,) = work.units
    assert set(unit.ground.patch_ids) == set(some["patch_id"].to_pylist())
    none = plan(scenes, some.slice(0, 0), grid, ("b0",), ())
    assert none.units == ()


def test_tiles_of_a_strip_and_a_day_follow_each_other() -> None:
    grid = Grid(40, 10.0)
    rows = [
        square(f"s{n}", size=(600, 600), when=DAY + timedelta(days=n)) for n in range(6)
    ]
    units = planned(rows, grid).units
    walk = Walk.of(grid, 1)
    steps = [(unit.day, walk.strip(unit.tile)) for unit in units]
    changes = sum(one != other for one, other in pairwise(steps))
    assert changes == len(set(steps)) - 1 < len(units) / 4
    first = [unit.day for unit in units[: len(units) * 4 // 6]]
    assert len(set(first)) == 4
    for day, strip in set(steps):
        tiles = [u.tile for u in units if (u.day, walk.strip(u.tile)) == (day, strip)]
        places = [(-row, col) for _, row, col in map(parse_id, tiles)]
        assert places == sorted(places)


@pytest.mark.parametrize("bands", [1, 4, 13])
@pytest.mark.parametrize("patch_size", [10, 20, 40, 160, 640, 2560])
def test_strips_are_bounded_and_panels_are_whole_strips(
    patch_size: int, bands: int
) -> None:
    walk = Walk.of(Grid(patch_size, 10.0), bands)
    side = 32 * patch_size // 10
    assert walk.panel % walk.cols == 0
    assert walk.rows * side <= max(512, side)
    one_tile = 4 * bands * side * side
    assert walk.rows * walk.cols * one_tile <= max(32 << 20, one_tile)


def test_no_bands_are_refused() -> None:
    with pytest.raises(
        ValueError, match="expected at least one band to read, got none"
    ):
        planned([square()], Grid(160, 10.0), bands=())


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rate must be above 0 bytes/s, got 0"):
        planned([square()], Grid(160, 10.0)).seconds(0)


def test_a_plan_tells_itself_in_one_line() -> None:
    work = planned([square()], Grid(160, 10.0))
    assert str(work).startswith("1 scenes, 1 tiles, 1 units of work, 49 observations")
    assert work.summary(1e3)["seconds"] == pytest.approx(25.1)
