from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.transform import Affine

from terradrift.errors import SourceError
from terradrift.grid import Grid
from terradrift.ingest.read import chip, read
from tests.ingest.rasters import (
    CORNER,
    DAY,
    UTM,
    asset,
    coordinates,
    expected_coordinates,
    images,
    noise,
    place,
    planned,
    same,
    scene,
    series,
    write,
    written,
)


def middle(transform: Affine, size: tuple[int, int]) -> tuple[float, float]:
    a, b, c, d, e, f = transform[:6]
    col, row = size[1] / 2, size[0] / 2
    return a * col + b * row + c, d * col + e * row + f


CASES = {
    "aligned": (UTM, place(), (83, 131)),
    "aligned, southern": ("EPSG:32737", place(10, (260_900.0, 9_595_800.0)), (64, 64)),
    "smaller than a patch": (UTM, place(), (3, 2)),
    "coarser": (UTM, place(20.0), (45, 51)),
    "half a pixel off": (UTM, place(10, (500_035.0, 5_000_015.0)), (70, 77)),
    "other resolution": (UTM, place(15.0), (70, 77)),
    "finer": (UTM, place(5.0), (140, 120)),
    "across zones": (UTM, place(10, (736_000.0, 5_000_000.0)), (90, 90)),
    "degrees": ("EPSG:4326", Affine(1.2e-4, 0, 3.0, 0, -1e-4, 45.0), (120, 110)),
    "degrees across zones": (
        "EPSG:4326",
        Affine(1.2e-4, 0, 5.995, 0, -1e-4, 45.0),
        (90, 90),
    ),
    "antimeridian in degrees": (
        "EPSG:4326",
        Affine(1e-4, 0, 179.995, 0, -1e-4, -10.0),
        (90, 100),
    ),
    "antimeridian in metres": (
        "EPSG:32660",
        place(10, (828_700.0, 1_106_600.0)),
        (90, 90),
    ),
    "across the equator": (
        "EPSG:32737",
        place(10, (500_000.0, 10_000_400.0)),
        (90, 90),
    ),
    "turned": (UTM, Affine(9, 3, 500_000, 3, -9, 5_000_000), (80, 80)),
    "south up": (UTM, Affine(10, 0, 500_000, 0, 10, 5_000_000), (60, 60)),
}


@pytest.mark.parametrize("name", CASES)
def test_every_patch_gets_its_own_ground(tmp_path: Path, name: str) -> None:
    """Pixels that hold their own position, wherever they come from and go to."""
    crs, transform, size = CASES[name]
    grid = Grid(80, 10.0)
    work = planned([scene("s", [], crs, transform, size)], grid)
    zones = {unit.ground.epsg for unit in work.units}
    covered = 0
    pixel = abs(transform.a) * (111_320.0 if "degrees" in name else 1.0)
    for zone in sorted(zones):
        origin = np.array(
            Transformer.from_crs(crs, zone, always_xy=True).transform(
                *middle(transform, size)
            )
        )
        where = (
            coordinates(crs, transform, size, f"EPSG:{zone}") - origin[:, None, None]
        )
        path = tmp_path / f"{zone}.tif"
        write(path, where.astype(np.float32), crs, transform)
        assets = [asset("x", path, 1), asset("y", path, 2)]
        row = scene("s", assets, crs, transform, size)
        for image in images(planned([row], grid, ("x", "y")), grid):
            if not image.tile.startswith(str(zone)):
                continue
            off = image.pixels - (expected_coordinates(image) - origin[:, None, None])
            seen = np.isfinite(off[0])
            off = np.abs(off[:, seen])
            # At its outer edge a source goes on for half a pixel with what it has there.
            assert off.max() <= max(10.0, pixel) / 2 + 0.01
            if name != "coarser":
                assert np.quantile(off, 0.9) < 0.05
            covered += int(seen.sum())
            assert image.clear_percent.shape == image.patch_ids.shape
    a, b, _, d, e, _ = transform[:6]
    area = abs(a * e - b * d) * size[0] * size[1]
    if "degrees" in name:
        area *= 111_320.0**2 * np.cos(np.radians(transform.f))
    assert covered * 100.0 == pytest.approx(area, rel=0.08)


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    right=st.integers(-40, 40),
    down=st.integers(-40, 40),
    halo=st.integers(0, 5),
    patch_size=st.sampled_from([20, 40, 70, 160]),
)
def test_tiles_equal_a_whole_file_cut_by_numpy(  # noqa: PLR0917 - drawn values
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    right: int,
    down: int,
    halo: int,
    patch_size: int,
) -> None:
    folder, grid = tmp_path_factory.mktemp("t"), Grid(patch_size, 10.0)
    numbers = noise(height, width)
    corner = 500_000.0 + 10 * right, 5_000_000.0 + 10 * down
    row = written(folder, "s", numbers, UTM, place(10.0, corner), scale=1e-4)
    seen: set[str] = set()
    total = 0
    for image in images(planned([row], grid), grid, halo_px=halo):
        x, y = expected_coordinates(image)
        cols = np.floor((x - corner[0]) / 10).astype(int)
        rows = np.floor((corner[1] - y) / 10).astype(int)
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        expected = np.full(rows.shape, np.nan, np.float32)
        expected[inside] = numbers[0][rows[inside], cols[inside]] * np.float32(1e-4)
        np.testing.assert_array_equal(image.pixels[0], expected)
        px = grid.patch_px
        for n, name in enumerate(image.patch_ids):
            top, left = image.rows[n] * px + halo, image.cols[n] * px + halo
            share = inside[top : top + px, left : left + px].mean()
            assert image.clear_percent[n] == pytest.approx(100 * share, rel=1e-5)
            assert share > 0
            assert name not in seen
            seen.add(str(name))
            total += round(share * px * px)
    assert total == height * width


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    grid = Grid(40, 10.0)
    rows = [
        written(
            tmp_path,
            f"s{n}{half}",
            noise(150, 170, bands=2, seed=n),
            UTM,
            place(corner=(CORNER[0] + 400 * half + 5 * (n == 2), CORNER[1])),
            DAY + timedelta(days=n, minutes=half),
            nodata=7.0,
        )
        for n in range(5)
        for half in (0, 1)
    ]
    work = planned(rows, grid, ("b0", "b1"))
    alone = images(work, grid, threads=1, halo_px=2)
    assert [image.tile for image in alone] == [unit.tile for unit in work.units]
    for threads in (2, 5):
        for one, other in zip(
            alone, images(work, grid, threads=threads, halo_px=2), strict=True
        ):
            same(one, other)


def test_a_patch_is_the_same_whatever_else_is_read(tmp_path: Path) -> None:
    """Warped, with a halo: tile by tile, or tiles side by side in one window."""
    grid = Grid(40, 10.0)
    row = written(
        tmp_path, "s", noise(200, 420), "EPSG:4326", Affine(1.2e-4, 0, 3, 0, -1e-4, 45)
    )
    work = planned([row], grid)
    together = images(work, grid, halo_px=3)
    assert len(together) > 3
    for image, unit in zip(together, work.units, strict=True):
        done = [("s", other.tile) for other in work.units if other is not unit]
        (alone,) = images(planned([row], grid, done=done), grid, halo_px=3)
        same(image, alone)


def test_one_day_gives_one_observation_the_clearest(tmp_path: Path) -> None:
    grid = Grid(40, 10.0)
    cloudy = np.full((8, 8), 4, np.uint8)
    cloudy[:, 5:] = 9
    rows = [
        written(
            tmp_path,
            "a",
            np.full((1, 8, 8), 10, "u1"),
            UTM,
            place(corner=(500_000.0, 5_000_000.0)),
            scl=cloudy,
        ),
        written(
            tmp_path,
            "b",
            np.full((1, 8, 8), 20, "u1"),
            UTM,
            place(corner=(500_000.0, 5_000_000.0)),
            DAY + timedelta(hours=1),
        ),
    ]
    (image,) = images(planned(rows, grid), grid)
    assert image.scene_ids == ("a", "b")
    assert image.patch_scenes.tolist() == [0, 1, 0, 1]
    assert image.times[1] - image.times[0] == np.timedelta64(1, "h")
    assert image.clear_percent.tolist() == [100.0] * 4
    assert (image.pixels[0, :, :4] == 10).all()
    assert (image.pixels[0, :, 4:] == 20).all()


def test_a_day_without_a_clear_pixel_is_still_told(tmp_path: Path) -> None:
    scl = np.full((8, 8), 9, np.uint8)
    row = written(tmp_path, "a", noise(8, 8), UTM, place(), scl=scl)
    grid = Grid(40, 10.0)
    (image,) = images(planned([row], grid), grid)
    assert (image.clear_percent == 0).all()
    assert np.isnan(image.pixels).all()


def test_bands_under_a_closed_cloud_deck_are_not_read(tmp_path: Path) -> None:
    scl = np.full((8, 8), 9, np.uint8)
    row = written(tmp_path, "a", noise(8, 8), UTM, place(), scl=scl)
    (tmp_path / "a.tif").unlink()
    grid = Grid(40, 10.0)
    (image,) = images(planned([row], grid), grid)
    assert (image.clear_percent == 0).all()


def test_nothing_is_read_far_ahead(tmp_path: Path) -> None:
    """The last days may vanish while the first image is looked at."""
    rows, grid = series(tmp_path, days=12, size=40), Grid(160, 10.0)
    stream_ = read(
        planned(rows, grid), grid, threads=1, skip_bad=False, on_bad=lambda *_: None
    )
    next(stream_)
    for n in range(8, 12):
        (tmp_path / f"s{n}.tif").unlink()
    with pytest.raises(SourceError, match="scene s8"):
        list(stream_)


def test_leaving_early_ends_the_threads(tmp_path: Path) -> None:
    import threading

    rows, grid = series(tmp_path), Grid(40, 10.0)
    found = read(
        planned(rows, grid), grid, threads=3, skip_bad=False, on_bad=lambda *_: None
    )
    next(found)
    found.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("read-")]


def test_fewer_than_one_thread_is_refused(tmp_path: Path) -> None:
    rows, grid = series(tmp_path, days=1), Grid(40, 10.0)
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        images(planned(rows, grid), grid, threads=0)


def test_a_chip_equals_the_tile_it_lies_in(tmp_path: Path) -> None:
    grid = Grid(40, 10.0)
    row = series(tmp_path, days=1)[0]
    image = images(planned([row], grid), grid)[0]
    x, y = expected_coordinates(image)
    bounds = x[0, 0] - 5, y[-1, 0] - 5, x[0, -1] + 5, y[0, 0] + 5
    pixels, clear = chip(row, bounds, 32631, 10.0, ("b0",))
    np.testing.assert_array_equal(pixels, image.pixels)
    np.testing.assert_array_equal(clear, np.isfinite(image.pixels[0]))


@pytest.mark.shared
def test_real_tiles_equal_their_files(shared) -> None:
    """Sentinel-2 over Flanders: reflectance and mask of every pixel, by another road."""
    import json

    root = shared("data/s2-flanders-2018-transplant")
    grid, rows, paths = Grid(40, 10.0), [], {}
    for item_path in sorted(root.glob("items/*.json"))[20:32]:
        item = json.loads(item_path.read_text())
        image = root / "images" / f"{item['id']}.tif"
        scl = root / "masks" / f"{item['id']}_SCL.tif"
        assets = [
            asset(f"b{n}", image, n + 1, scale=1e-4, nodata=0.0) for n in range(10)
        ]
        assets.append(asset("mask:scl", scl))
        transform = Affine(*item["properties"]["proj:transform"])
        when = DAY + timedelta(days=len(rows))
        rows.append(scene(item["id"], assets, UTM, transform, (64, 64), when))
        paths[item["id"]] = image, scl
    work = planned(rows, grid, tuple(f"b{n}" for n in range(10)))
    assert work.observations == 12 * 256
    for tile in images(work, grid):
        (scene_id,) = tile.scene_ids
        with rasterio.open(paths[scene_id][0]) as file:
            numbers, transform = file.read(), file.transform
        with rasterio.open(paths[scene_id][1]) as file:
            classes = file.read(1)
        x, y = expected_coordinates(tile)
        cols = ((x - transform.c) / 10).astype(int)
        rows_ = ((transform.f - y) / 10).astype(int)
        expected = numbers[:, rows_, cols] * np.float32(1e-4)
        hidden = np.isin(classes, [0, 1, 3, 8, 9, 10, 11]) | (numbers == 0).any(axis=0)
        expected[:, hidden[rows_, cols]] = np.nan
        np.testing.assert_array_equal(tile.pixels, expected)
