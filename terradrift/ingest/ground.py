"""The patches of a tile that scenes cover, looked up in the table of patches (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.grid import Grid, parse_id
from terradrift.ingest.outline import Outline, overlapped

_ROW = np.int64(1) << np.int64(32)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The patches of one tile that a unit's scenes cover: n, row-major, north first."""

    epsg: int
    rows: NDArray[np.int64]
    """(n,), row of the grid, counted northwards."""
    cols: NDArray[np.int64]
    """(n,), column of the grid."""
    patch_ids: NDArray[np.str_]
    centers: NDArray[np.float64]
    """(n, 2), longitude and latitude in degrees."""
    covered: NDArray[np.bool_]
    """(k, n), whether the unit's k-th scene covers the patch."""


def key(rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number per cell, ascending by row, then column."""
    keys: NDArray[np.int64] = rows.astype(np.int64) * _ROW + cols
    return keys


def cell(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of `key`."""
    cols = (keys + _ROW // 2) % _ROW - _ROW // 2
    return (keys - cols) // _ROW, cols


class Places:
    """A table of patches, asked which of them an outline covers, tile by tile.

    Scenes share few outlines, so each outline and each mix of outlines on a tile is worked
    out once and its arrays are shared by all units.
    """

    def __init__(self, patches: pa.Table, grid: Grid) -> None:
        self._grid = grid
        self._ids = patches["patch_id"].to_numpy(zero_copy_only=False)
        self._centers = np.column_stack(
            [patches[name].to_numpy() for name in ("longitude", "latitude")]
        ).reshape(-1, 2)
        self._rows = patches["row"].to_numpy().astype(np.int64)
        self._cols = patches["col"].to_numpy().astype(np.int64)
        crs = patches["crs"].to_numpy(zero_copy_only=False)
        self._zones = {
            int(name.removeprefix("EPSG:")): self._sorted(np.flatnonzero(crs == name))
            for name in sorted(set(crs))
        }
        self._covered: dict[Outline, dict[str, NDArray[np.int64]]] = {}
        self._grounds: dict[tuple[str, tuple[Outline, ...]], Ground] = {}

    def tiles(self, place: Outline) -> Mapping[str, NDArray[np.int64]]:
        """The tiles that an outline touches, with the patches (positions) it covers."""
        if place not in self._covered:
            self._covered[place] = self._cover(place)
        return self._covered[place]

    def ground(self, tile: str, outlines: Sequence[Outline]) -> Ground:
        """The patches of `tile` that any of `outlines` covers."""
        mix = (tile, tuple(outlines))
        if mix not in self._grounds:
            self._grounds[mix] = self._join(
                tile, [self.tiles(o)[tile] for o in outlines]
            )
        return self._grounds[mix]

    def _sorted(self, at: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        keys = key(self._rows[at], self._cols[at])
        order = np.argsort(keys)
        return keys[order], at[order]

    def _cover(self, place: Outline) -> dict[str, NDArray[np.int64]]:
        tiles: dict[str, NDArray[np.int64]] = {}
        for cells in overlapped(place, self._grid):
            if cells.epsg not in self._zones:
                continue
            keys, at = self._zones[cells.epsg]
            wanted = key(cells.rows, cells.cols)
            spot = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            held = keys[spot] == wanted
            rows, cols, at = cells.rows[held], cells.cols[held], at[spot[held]]
            side = self._grid.tile_patches
            tile_keys = key(rows // side, cols // side)
            order = np.argsort(tile_keys, kind="stable")
            starts = np.flatnonzero(np.diff(tile_keys[order])) + 1
            for part in np.split(order, starts) if order.size else ():
                names = self._grid.tile_of(cells.epsg, rows[part[:1]], cols[part[:1]])
                tiles[str(names[0])] = at[part]
        return tiles

    def _join(self, tile: str, parts: Sequence[NDArray[np.int64]]) -> Ground:
        at = np.unique(np.concatenate(parts))
        at = at[np.lexsort((self._cols[at], -self._rows[at]))]
        return Ground(
            epsg=parse_id(tile)[0],
            rows=self._rows[at],
            cols=self._cols[at],
            patch_ids=self._ids[at].astype(np.str_),
            centers=self._centers[at],
            covered=np.stack([np.isin(at, part) for part in parts]),
        )
