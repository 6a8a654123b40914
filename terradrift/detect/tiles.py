"""Rows in an order in which near ones stand together, and balls around tiles of them."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Indices = NDArray[np.int64]

PANEL, TILE, GROUP = 32, 256, 48
"""Rows multiplied at once, rows of a tile, queries that read a tile; as in the kernel."""
_SAMPLE = 1024


def leaves(points: Rows, size: int) -> Indices:
    """(n,), an order of (n, c) in which each `size` points are near each other.

    Halves again and again, where the points spread most.
    """
    order = np.arange(len(points))
    todo = [(0, len(points))]
    while todo:
        start, stop = todo.pop()
        if stop - start <= size:
            continue
        part = order[start:stop]
        sample = points[part[:: max(1, len(part) // _SAMPLE)]]
        column = points[part, sample.var(axis=0).argmax()]
        half = size * max(1, round((stop - start) / size / 2))
        order[start:stop] = part[np.argpartition(column, half)]
        todo += [(start, start + half), (start + half, stop)]
    return order


def panels(ints: NDArray[np.int16]) -> NDArray[np.int16]:
    """Panels of rows, with the columns of two integers side by side."""
    n, columns = ints.shape
    full = np.zeros((-(-n // PANEL) * PANEL, columns), np.int16)
    full[:n] = ints
    told = full.reshape(-1, PANEL, columns // 2, 2).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(told)


def balls(ints: NDArray[np.int16]) -> tuple[Rows, Rows]:
    """(tiles, c) centers of tiles and (tiles,) radii around them."""
    starts = range(0, len(ints), TILE)
    centers = np.empty((len(starts), ints.shape[1]), np.float32)
    radii = np.empty(len(starts), np.float32)
    for tile, start in enumerate(starts):
        rows = ints[start : start + TILE].astype(np.float64)
        centers[tile] = rows.mean(axis=0)
        rows -= centers[tile]
        far = np.einsum("nc,nc->n", rows, rows).max()
        radii[tile] = np.nextafter(np.float32(far**0.5), np.float32(np.inf))
    return centers, radii
