"""Rows of single patches from a table that is stored tile by tile, without a scan of it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import lance
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.grid import Grid, parse_id
from terradrift.store import layout
from terradrift.store.layout import Layout

TILES_HELD = 64
"""Tiles whose order of patches is remembered: some megabytes each, where histories are long."""


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """Where the rows of each patch of one tile stand."""

    number: dict[str, int]
    """Of each of the tile's p patches."""
    ends: NDArray[np.int64]
    """(p + 1,), first and last-but-one of each patch's places in `rows`."""
    rows: NDArray[np.int64]
    """(n,), positions in the table, patch by patch."""


class PatchRows:
    """One version of a table with the columns `patch_id` and `tile`; safe in many threads."""

    def __init__(self, dataset: lance.LanceDataset, grid: Grid) -> None:
        self.dataset = dataset
        self._grid = grid
        self._layout: Layout | None = None
        self._tiles: OrderedDict[str, _Order] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, patches: Sequence[str], columns: Sequence[str]) -> dict[str, pa.Table]:
        """The rows of each patch in stored order; a patch without rows has an empty table.

        Raises:
            ValueError: an id that is not one of a patch.
        """
        places = {patch: self._places(patch) for patch in dict.fromkeys(patches)}
        wanted = np.concatenate([*places.values(), np.empty(0, np.int64)])
        found = layout.take(self.dataset, list(columns), wanted)
        out, at = {}, 0
        for patch, rows in places.items():
            out[patch] = found.slice(at, len(rows))
            at += len(rows)
        return out

    def ready(self) -> None:
        """Find where tiles stand, which reads one column of the table; else the first asks."""
        self._laid()

    def tile(self, tile: str, columns: Sequence[str]) -> pa.Table:
        """All rows of a tile; none where it is not there."""
        ranges = self._laid().runs.get(tile, np.empty((0, 2), np.int64))
        return layout.read_table(self.dataset, list(columns), ranges)

    def tile_of(self, patch: str) -> str:
        """The tile of a patch.

        Raises:
            ValueError: not the id of a patch.
        """
        epsg, row, col = parse_id(patch)
        (found,) = self._grid.tile_of(epsg, np.array([row]), np.array([col]))
        return str(found)

    def _places(self, patch: str) -> NDArray[np.int64]:
        order = self._order(self.tile_of(patch))
        at = order.number.get(patch)
        if at is None:
            return np.empty(0, np.int64)
        return order.rows[order.ends[at] : order.ends[at + 1]]

    def _order(self, tile: str) -> _Order:
        with self._lock:
            if tile in self._tiles:
                self._tiles.move_to_end(tile)
                return self._tiles[tile]
        found = self._read(tile)
        with self._lock:
            self._tiles[tile] = found
            while len(self._tiles) > TILES_HELD:
                self._tiles.popitem(last=False)
        return found

    def _read(self, tile: str) -> _Order:
        ranges = self._laid().runs.get(tile, np.empty((0, 2), np.int64))
        names = layout.read_table(self.dataset, ["patch_id"], ranges)["patch_id"]
        coded = pa.chunked_array(names, pa.string()).combine_chunks()
        coded = coded.dictionary_encode()
        number = {patch: at for at, patch in enumerate(coded.dictionary.to_pylist())}
        patch = coded.indices.to_numpy(zero_copy_only=False)
        order = np.argsort(patch, kind="stable")
        counts = np.bincount(patch, minlength=len(number))
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return _Order(number, ends, layout.positions(ranges)[order])

    def _laid(self) -> Layout:
        with self._lock:
            if self._layout is None:
                self._layout = layout.layout(self.dataset)
            return self._layout
