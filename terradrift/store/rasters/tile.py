"""One tile of the grid from the rasters that touch it, strip by strip."""

from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.grid import Grid
from terradrift.store.majortom.held import names
from terradrift.store.rasters.lattice import Pixels, paste
from terradrift.store.rasters.mean import means
from terradrift.store.rasters.plan import Task
from terradrift.store.rasters.source import Raster, Reader

_STRIP_BYTES = 32 << 20
_MOST = float(np.finfo(np.float16).max)
_LEAST = float(np.finfo(np.float16).smallest_subnormal) / 2
"""What rounds to 0."""
_OPEN = 4
"""Rasters that are open at a time: as many as meet at a corner."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Patches of a tile that have a pixel."""

    cells: NDArray[np.int64]
    """(n, 3)"""
    vectors: NDArray[np.float32]
    """(n, d)"""
    share: NDArray[np.float64]
    """(n,), 0..1"""
    spread: NDArray[np.float64]
    """(n,), 0..1"""
    pixels: int
    """Of the tile, that a raster has."""
    twice: int
    """Of the tile, that lie in another raster's box as well."""
    beyond: int
    """Patches left out: float16 cannot hold their mean, or it is none."""


class Readers:
    """The rasters that were read last, open; use as a context manager."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, tuple[ExitStack, Reader]] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._open.popitem()[1][0].close()

    def of(self, raster: Raster) -> Reader:
        """The raster, opened.

        Raises:
            ArchiveError: it cannot be read.
        """
        name = str(raster.file.path)
        if name not in self._open:
            while len(self._open) >= _OPEN:
                self._open.popitem(last=False)[1][0].close()
            stack = ExitStack()
            self._open[name] = stack, stack.enter_context(raster.opened())
        self._open.move_to_end(name)
        return self._open[name][1]


def read(task: Task, grid: Grid, readers: Readers) -> Patches:
    """The patches of a tile, each of its own zone.

    Raises:
        ArchiveError: a raster cannot be read.
    """
    product, px, side = task.rasters[0].product, grid.patch_px, grid.tile_patches
    width = side * px
    strip = max(1, min(side, _STRIP_BYTES // (product.bands * 4 * px * width)))
    counts = np.zeros(3, np.int64)
    parts = [
        _strip(task, grid, readers, slice(at, min(at + strip, side)), counts)
        for at in range(0, side, strip)
    ]
    whole = [np.concatenate(one) for one in zip(*parts, strict=True)]
    return Patches(*whole, *counts.tolist())


def _strip(
    task: Task, grid: Grid, readers: Readers, rows: slice, counts: NDArray[np.int64]
) -> tuple[
    NDArray[np.int64], NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]
]:
    product, px, side = task.rasters[0].product, grid.patch_px, grid.tile_patches
    gsd = grid.patch_size / px
    high = rows.stop - rows.start
    y = (task.row + rows.start) * grid.patch_size + (np.arange(high * px) + 0.5) * gsd
    x = task.col * grid.patch_size + (np.arange(side * px) + 0.5) * gsd
    vectors = np.zeros((product.bands, len(y), len(x)), np.float32)
    good = np.zeros((len(y), len(x)), bool)
    for raster in task.rasters:
        counts[:2] += paste(readers.of(raster), Pixels(task.epsg, x, y, vectors, good))
    # Rows go up with y, as the grid's do.
    found = means(vectors, good, px, unit=product.unit)
    there = found.share > 0
    size = np.abs(found.vectors)
    fit = (size <= _MOST).all(axis=-1) & (size > _LEAST).any(axis=-1)
    counts[2] += int((there & ~fit).sum())
    row, col = np.nonzero(there & fit)
    cells = np.column_stack(
        [np.full(len(row), task.epsg), task.row + rows.start + row, task.col + col]
    ).astype(np.int64)
    if len(cells):
        lonlat = grid.centers(task.epsg, cells[:, 1], cells[:, 2])
        own = grid.owns(task.epsg, lonlat[:, 0], lonlat[:, 1])
        row, col, cells = row[own], col[own], cells[own]
    return cells, found.vectors[row, col], found.share[row, col], found.spread[row, col]


def batch(
    task: Task, found: Patches, grid: Grid, columns: pa.Schema, run_id: str | None
) -> pa.RecordBatch:
    """A tile's patches as rows of the table of embeddings."""
    count = len(found.cells)
    ids, tiles = names(found.cells, grid)
    half = found.vectors.astype(np.float16)
    arrays = [
        pa.array(ids, pa.string()),
        pa.array(np.full(count, task.time, np.int64)).cast(schema.INSTANT),
        pa.array(tiles, pa.string()),
        pa.array([task.scene] * count, pa.string()),
        pa.array((100 * found.share).astype(np.float32)),
        *(pa.nulls(count, pa.float32()) for _ in range(3)),
        pa.FixedSizeListArray.from_arrays(pa.array(half.ravel()), half.shape[1]),
        pa.array([run_id] * count, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=columns)
