"""Windows of whole patches that an archive's pixels are read in, and their days (pure)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.grid import Grid
from terradrift.ingest.ground import Ground
from terradrift.ingest.plan import Plan, Unit
from terradrift.ingest.walk import Walk

MAX_BYTES = 512 << 20
"""Pixels of one window, beyond which windows are made smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How large windows are, and which days they have."""

    window_px: int = 512
    """Most pixels a side, but for a window of one patch."""
    since: np.datetime64 | None = None
    until: np.datetime64 | None = None
    most_frames: int | None = None
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        for name in ("window_px", "most_frames", "max_bytes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")

    def has(self, day: np.datetime64) -> bool:
        """Whether the day is one of those asked for."""
        late = self.since is None or day >= self.since
        return bool(late and (self.until is None or day <= self.until))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Some patches of one tile, and the days on which scenes cover any of them."""

    tile: str
    epsg: int
    top: int
    """Row of the grid of its northernmost patches."""
    left: int
    """Column of the grid of its westernmost patches."""
    size: tuple[int, int]
    """Patches from north to south, and from west to east."""
    patch_ids: NDArray[np.str_]
    """(n,), row-major from the north-west."""
    rows: NDArray[np.int32]
    """(n,), from the top, in patches."""
    cols: NDArray[np.int32]
    """(n,), from the left, in patches."""
    units: tuple[Unit, ...]
    """By day."""


def any_day(found: Sequence[Window], since: np.datetime64 | None) -> bool:
    """Whether scenes cover any of the windows on the day `since` or later."""
    days = (unit.day for window in found for unit in window.units)
    return any(since is None or day >= since for day in days)


def windows(plan: Plan, grid: Grid, extent: Extent) -> list[Window]:
    """The windows in the order of `plan`'s tiles, each with the days of `extent`."""
    of_tile: dict[str, list[Unit]] = defaultdict(list)
    for unit in sorted(plan.units, key=lambda unit: unit.day):
        if extent.has(unit.day):
            of_tile[unit.tile].append(unit)
    walk = Walk.of(grid, len(plan.bands))
    found: list[Window] = []
    for tile in sorted(of_tile, key=lambda name: (walk.strip(name), walk.within(name))):
        units = of_tile[tile]
        frames = min(len(units), extent.most_frames or len(units))
        per_px = frames * len(plan.bands) * np.dtype(np.float32).itemsize
        most_px = min(extent.window_px, int(np.sqrt(extent.max_bytes / per_px)))
        found += _cut(units, grid, most_px // grid.patch_px)
    return found


def _cut(units: Sequence[Unit], grid: Grid, most: int) -> Iterator[Window]:
    """One tile in blocks of about equal size, at most `most` patches a side, if one at least."""
    epsg, lowest, first = grid.tile_cells(units[0].tile)
    count = -(-grid.tile_patches // max(1, most))
    side = -(-grid.tile_patches // count)
    parts: dict[tuple[int, int], list[Unit]] = defaultdict(list)
    cut: dict[int, list[tuple[tuple[int, int], Ground]]] = {}
    for unit in units:
        if id(unit.ground) not in cut:  # days share their ground
            cut[id(unit.ground)] = list(
                _blocks(unit.ground, lowest + grid.tile_patches - 1, first, side)
            )
        for place, ground in cut[id(unit.ground)]:
            seen = ground.covered.any(axis=1)
            names = tuple(np.array(unit.scene_ids)[seen].tolist())
            there = replace(ground, covered=ground.covered[seen])
            parts[place].append(Unit(unit.day, unit.tile, names, there))
    for place in sorted(parts):
        yield _window(parts[place], epsg)


def _blocks(
    ground: Ground, highest: int, first: int, side: int
) -> Iterator[tuple[tuple[int, int], Ground]]:
    """The ground in blocks of `side` patches, counted from the tile's north-west."""
    down, across = (highest - ground.rows) // side, (ground.cols - first) // side
    for place in sorted(set(zip(down.tolist(), across.tolist(), strict=True))):
        here = (down == place[0]) & (across == place[1])
        yield (
            place,
            Ground(
                ground.epsg,
                ground.rows[here],
                ground.cols[here],
                ground.patch_ids[here],
                ground.centers[here],
                ground.covered[:, here],
            ),
        )


def _window(units: list[Unit], epsg: int) -> Window:
    grounds = {id(unit.ground): unit.ground for unit in units}.values()
    ids, at = np.unique(
        np.concatenate([ground.patch_ids for ground in grounds]), return_index=True
    )
    rows = np.concatenate([ground.rows for ground in grounds])[at]
    cols = np.concatenate([ground.cols for ground in grounds])[at]
    order = np.lexsort((cols, -rows))
    top, left = int(rows.max()), int(cols.min())
    return Window(
        tile=units[0].tile,
        epsg=epsg,
        top=top,
        left=left,
        size=(top - int(rows.min()) + 1, int(cols.max()) - left + 1),
        patch_ids=ids[order],
        rows=(top - rows[order]).astype(np.int32),
        cols=(cols[order] - left).astype(np.int32),
        units=tuple(units),
    )
