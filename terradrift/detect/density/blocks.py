"""Points in blocks of near ones, as the kernels of the search want them."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density.native import pointers, sizes

BLOCK = 32
"""Rows in a block; the kernels are built for it."""
_AWAY = np.float32(1e15)
"""Where the columns of no row lie: farther than any, and its square is a float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """n points of d dimensions, d a multiple of 8, in b blocks."""

    order: NDArray[np.int64]
    """(n,), the row of the points in each place."""
    rows: NDArray[np.float32]
    """(n, d), in that order."""
    columns: NDArray[np.float32]
    """(b, d, 32), the same by block."""
    boxes: NDArray[np.float32]
    """(b, 2, d), the lowest and the highest of each block."""
    sides: NDArray[np.float32]
    """(d, 3, b), the lowest, the highest and the mean."""
    start: NDArray[np.int64]
    """(b + 1,), first place of each block."""

    @property
    def arguments(self) -> tuple[ctypes.c_int64 | ctypes.c_void_p, ...]:
        """What the kernels of the search begin with."""
        return (
            *sizes(*self.rows.shape, len(self.start) - 1),
            *pointers(self.rows, self.columns, self.boxes, self.sides, self.start),
        )


def blocks(points: NDArray[np.float32], kernels: ctypes.CDLL) -> Blocks:
    """Order points (n, d), d a multiple of 8 and n at least 1, into blocks."""
    n, d = points.shape
    order = np.arange(n, dtype=np.int64)
    failed = kernels.blocks_order(
        *pointers(points), *sizes(d, n, BLOCK), *pointers(order)
    )
    if failed:
        raise MemoryError(f"no memory to order {n} points")
    rows = points[order]
    start = np.append(np.arange(0, n, BLOCK), n).astype(np.int64)
    lowest = np.minimum.reduceat(rows, start[:-1], axis=0)
    highest = np.maximum.reduceat(rows, start[:-1], axis=0)
    mean = np.add.reduceat(rows, start[:-1], axis=0) / np.float32(BLOCK)
    mean[-1] *= np.float32(BLOCK / (n - start[-2]))
    boxes = np.stack([lowest, highest], axis=1)
    padded = np.full((len(start) - 1, BLOCK, d), _AWAY, np.float32)
    padded.reshape(-1, d)[:n] = rows
    return Blocks(
        order,
        rows,
        np.ascontiguousarray(padded.transpose(0, 2, 1)),
        boxes,
        np.ascontiguousarray(np.stack([lowest, highest, mean]).transpose(2, 0, 1)),
        start,
    )
