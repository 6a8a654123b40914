"""Windows of an open raster; of a tiled one whole blocks are read, and kept for a while."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.windows import Window

_KEPT = 192 << 20
"""Bytes of blocks that are kept; a block of 64 bands of 512 x 512 bytes has 16 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Tiff:
    """A dataset of GDAL.

    Whole blocks at a time are read four times faster than windows across them, where bands
    are interleaved by pixel.
    """

    dataset: Any
    _blocks: OrderedDict[tuple[int, int], NDArray[Any]] = field(
        default_factory=OrderedDict
    )

    def read(self, rows: slice, cols: slice) -> NDArray[Any]:
        """(d, h, w) stored numbers; rows as they are stored."""
        high, wide = self.dataset.block_shapes[0]
        if wide >= self.dataset.width:
            window = Window.from_slices(rows, cols)
            return np.asarray(self.dataset.read(window=window))
        shape = self.dataset.count, rows.stop - rows.start, cols.stop - cols.start
        found = np.empty(shape, self.dataset.dtypes[0])
        for row in range(rows.start // high * high, rows.stop, high):
            for col in range(cols.start // wide * wide, cols.stop, wide):
                block = self._block(row, col, high, wide)
                top, left = max(row, rows.start), max(col, cols.start)
                low, right = min(row + high, rows.stop), min(col + wide, cols.stop)
                found[
                    :,
                    top - rows.start : low - rows.start,
                    left - cols.start : right - cols.start,
                ] = block[:, top - row : low - row, left - col : right - col]
        return found

    def shown(self, rows: slice, cols: slice) -> NDArray[np.bool_] | None:
        """(h, w) pixels that the file's own mask shows; None: it has none."""
        if MaskFlags.per_dataset not in self.dataset.mask_flag_enums[0]:
            return None
        mask = self.dataset.dataset_mask(window=Window.from_slices(rows, cols))
        return np.asarray(mask > 0)

    def _block(self, row: int, col: int, high: int, wide: int) -> NDArray[Any]:
        if (row, col) not in self._blocks:
            dataset = self.dataset
            to = slice(row, min(row + high, dataset.height))
            along = slice(col, min(col + wide, dataset.width))
            block = np.asarray(dataset.read(window=Window.from_slices(to, along)))
            while self._blocks and (len(self._blocks) + 1) * block.nbytes > _KEPT:
                self._blocks.popitem(last=False)
            self._blocks[row, col] = block
        self._blocks.move_to_end((row, col))
        return self._blocks[row, col]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """An array on disk, height first and vectors last."""

    numbers: NDArray[Any]

    def read(self, rows: slice, cols: slice) -> NDArray[Any]:
        """(d, h, w) stored numbers."""
        part = np.asarray(self.numbers[rows, cols])
        return part[None] if part.ndim == 2 else np.moveaxis(part, -1, 0)

    @staticmethod
    def shown(_rows: slice, _cols: slice) -> None:
        """An array has no mask."""
        return
