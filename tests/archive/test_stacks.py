"""Windows of an archive's pixels through time: right to the pixel, whole, of bounded size."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

import terradrift as td
from terradrift.archive.pixels.stacks import stacks, windows
from terradrift.archive.pixels.windows import Extent
from terradrift.errors import ArchiveError, SourceError
from terradrift.grid import Grid, parse_id
from terradrift.ingest.plan import patches
from terradrift.ingest.read import chip
from terradrift.stack import Stack
from terradrift.store.settings import Settings
from terradrift.store.tables import Store
from tests.ingest.rasters import (
    DAY,
    UTM,
    place,
    table,
    written,
)


def _store(
    folder: Path,
    rows: list[dict[str, Any]],
    region: shapely.Geometry | None = None,
    *,
    grid: Grid,
) -> Store:
    scenes = table(rows)
    store = Store.create(
        folder / "a.td", Settings(grid=grid, bands=("b0", "b1"), region=region)
    )
    store.append("patches", patches(scenes, grid, region))
    store.append("scenes", scenes)
    return store


def _all(store: Store, **how: Any) -> list[Stack]:
    return list(stacks(store, threads=2, **how))


def _same_as_scenes(store: Store, found: list[Stack]) -> None:
    """Every patch's pixels are those that the scene named shows of the patch's ground."""
    rows = {row["scene_id"]: row for row in store.scan("scenes").read_all().to_pylist()}
    held = store.settings
    size = held.grid.patch_size
    seen = 0
    for stack in found:
        px, halo = stack.patch_px, stack.halo_px
        for t in range(len(stack)):
            for n in range(len(stack.patch_ids)):
                top, left = stack.rows[n] * px + halo, stack.cols[n] * px + halo
                got = stack.pixels[t, :, top : top + px, left : left + px]
                if not stack.scenes[t, n]:
                    assert np.isnan(got).all()
                    assert np.isnat(stack.times[t, n])
                    continue
                epsg, row, col = parse_id(stack.patch_ids[n])
                assert epsg == stack.epsg
                box = col * size, row * size, (col + 1) * size, (row + 1) * size
                want, clear = chip(
                    rows[stack.scenes[t, n]], box, epsg, stack.gsd, held.bands
                )
                np.testing.assert_array_equal(got, want)
                assert stack.clear_percent[t, n] == pytest.approx(100 * clear.mean())
                west, north = stack.corner
                assert (box[0], box[3]) == (
                    west + left * stack.gsd,
                    north - top * stack.gsd,
                )
                seen += 1
    assert seen


def _noise(size: tuple[int, int], seed: int) -> NDArray[np.uint16]:
    random = np.random.default_rng(seed)
    return random.integers(1, 5000, (2, *size)).astype(np.uint16)


def _cloudy(size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    return np.where(random.random(size) < 0.2, 9, 4).astype(np.uint8)


def _days(folder: Path, count: int, size: tuple[int, int]) -> list[dict[str, Any]]:
    return [
        written(
            folder,
            f"s{n}",
            _noise(size, n),
            UTM,
            place(),
            DAY + timedelta(days=n),
            scl=_cloudy(size, n),
            scale=1e-4,
        )
        for n in range(count)
    ]


def test_windows_hold_each_patch_once_with_its_own_pixels(tmp_path: Path) -> None:
    store = _store(tmp_path, _days(tmp_path, 3, (90, 131)), grid=Grid(80, 10.0))
    found = _all(store, window_px=48, halo_px=3)
    ids = [name for stack in found for name in stack.patch_ids.tolist()]
    assert sorted(ids) == sorted(
        store.scan("patches", ["patch_id"]).read_all()["patch_id"].to_pylist()
    )
    assert max(max(stack.pixels.shape[2:]) for stack in found) <= 48 + 2 * 3
    assert all(len(stack) == 3 for stack in found)
    assert all(stack.bands == ("b0", "b1") for stack in found)
    _same_as_scenes(store, found)


def test_the_halo_is_the_ground_beside_and_nan_where_there_is_none(
    tmp_path: Path,
) -> None:
    rows = _days(tmp_path, 1, (64, 64))
    store = _store(tmp_path, rows, grid=Grid(80, 10.0))
    for stack in _all(store, window_px=16, halo_px=5):
        west, north = stack.corner
        _, height, width = stack.pixels[0].shape
        box = west, north - height * 10, west + width * 10, north
        want, _ = chip(rows[0], box, stack.epsg, 10.0, ("b0", "b1"))
        np.testing.assert_array_equal(stack.pixels[0], want)
    outside = _all(store)[0]
    assert outside.halo_px == 0
    assert np.isnan(_all(store, halo_px=5)[0].pixels[:, :, :2]).all()


def test_archives_of_several_zones_and_scenes_and_missing_patches(
    tmp_path: Path,
) -> None:
    east = place(10, (735_500.0, 5_000_000.0))
    rows = [
        written(tmp_path, "a", _noise((90, 90), 1), UTM, east, scale=1e-4),
        # The same day, 300 m to the east: one frame of two scenes.
        written(
            tmp_path,
            "b",
            _noise((90, 90), 2),
            UTM,
            place(10, (735_800.0, 5_000_000.0)),
            DAY + timedelta(hours=1),
            scl=_cloudy((90, 90), 2),
            scale=1e-4,
        ),
        written(
            tmp_path,
            "c",
            _noise((40, 40), 3),
            UTM,
            east,
            DAY + timedelta(days=2),
            scale=1e-4,
        ),
    ]
    store = _store(tmp_path, rows, grid=Grid(80, 10.0))
    found = _all(store, window_px=40)
    assert {stack.epsg for stack in found} == {32631, 32632}
    assert {len(stack) for stack in found} == {1, 2}
    scenes = {name for stack in found for name in stack.scenes.ravel().tolist()}
    assert scenes == {"", "a", "b", "c"}
    for stack in found:
        if stack.epsg == 32632:
            continue  # warped in one piece: `chip` of a patch alone sees other neighbours
        _same_as_scenes(store, [stack])


def test_a_region_leaves_holes(tmp_path: Path) -> None:
    rows = _days(tmp_path, 2, (90, 90))
    whole = patches(table(rows), Grid(80, 10.0), None).to_pylist()
    some = shapely.union_all(
        [shapely.from_wkb(row["geometry"]).buffer(-1e-5) for row in whole[::3]]
    )
    store = _store(tmp_path, rows, some, grid=Grid(80, 10.0))
    found = _all(store)
    assert sum(len(stack.patch_ids) for stack in found) == len(whole[::3])
    _same_as_scenes(store, found)


def test_days_are_those_asked_for_and_seen(tmp_path: Path) -> None:
    rows = _days(tmp_path, 5, (32, 32))
    rows[2] = written(
        tmp_path,
        "deck",
        _noise((32, 32), 9),
        UTM,
        place(),
        DAY + timedelta(days=2),
        scl=np.full((32, 32), 9, np.uint8),
        scale=1e-4,
    )
    store = _store(tmp_path, rows, grid=Grid(80, 10.0))
    first = np.datetime64("2020-06-01")

    def days(**how: Any) -> list[int]:
        (stack,) = _all(store, **how)
        return [int((day - first).astype(int)) for day in stack.days]

    assert days() == [0, 1, 3, 4]
    assert days(since=first + 1, until=first + 3) == [1, 3]
    (whole,) = _all(store)
    for most in (1, 2, 3):
        (last,) = _all(store, most_frames=most)
        np.testing.assert_array_equal(last.days, whole.days[-most:])
        np.testing.assert_array_equal(last.pixels, whole.pixels[-most:])
        np.testing.assert_array_equal(last.scenes, whole.scenes[-most:])


def test_windows_shrink_so_that_a_stack_fits(tmp_path: Path) -> None:
    store = _store(tmp_path, _days(tmp_path, 4, (128, 128)), grid=Grid(80, 10.0))
    room = 4 * 2 * 4 * 40 * 40
    found = _all(store, max_bytes=room)
    assert all(stack.pixels.nbytes <= room for stack in found)
    assert len(found) == len(windows(store, Extent(max_bytes=room))) > 4


def test_a_scene_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    store = _store(tmp_path, _days(tmp_path, 3, (64, 64)), grid=Grid(80, 10.0))
    (tmp_path / "s1.tif").write_bytes(b"no image")
    told: dict[str, str] = {}
    found = _all(store, window_px=32, on_bad=told.__setitem__)
    assert list(told) == ["s1"]
    assert all(len(stack) == 2 for stack in found)
    for n in (0, 2):
        (tmp_path / f"s{n}.tif").unlink()
    with pytest.raises(SourceError, match="none of 3 scenes can be read"):
        _all(store, on_bad=told.__setitem__)


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "empty.td", Settings(grid=Grid(80, 10.0)))
    with pytest.raises(ArchiveError, match="holds no scenes"):
        _all(store)
    with pytest.raises(ValueError, match="window_px must be at least 1, got 0"):
        _all(store, window_px=0)
    with pytest.raises(ValueError, match="halo_px must be at least 0"):
        _all(store, halo_px=-1)


def test_the_pixels_of_an_archive_are_those_that_were_embedded(
    finished: Path,
) -> None:
    store = td.open(finished).store
    held = store.scan(
        "embeddings_mosaiks", ["patch_id", "datetime", "clear_percent", "scene_id"]
    ).read_all()
    of = {
        (row["patch_id"], row["datetime"].replace(tzinfo=None)): (
            row["clear_percent"],
            row["scene_id"],
        )
        for row in held.to_pylist()
    }
    seen = 0
    for stack in _all(store, window_px=96):
        for t, n in np.argwhere(stack.clear_percent > 0).tolist():
            clear, scene = of[str(stack.patch_ids[n]), stack.times[t, n].item()]
            assert (stack.clear_percent[t, n], stack.scenes[t, n]) == (clear, scene)
            seen += 1
    assert seen == len(of)
