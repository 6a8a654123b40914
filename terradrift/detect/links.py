"""Which changes touch in space: pairs of cells of one grid that lie side by side."""

import numpy as np
from numpy.typing import NDArray

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def beside(cells: NDArray[np.int64], reach: int) -> Pairs:
    """Find all pairs of rows whose cells are exactly `reach` apart in the same grid.

    Apart is the larger of the distances in rows and columns, so reach 1 are the eight
    neighbours, and reach 2 the sixteen cells around those.

    Args:
        cells: (n, 3), number of the CRS, row and column; a cell may occur many times.
        reach: at least 1.

    Returns:
        Two (pairs,) arrays of row numbers; each pair once.
    """
    if len(cells) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    crs, row, col = (cells - cells.min(axis=0)).T
    # Room on both sides, so that stepping over an edge meets no other row or grid.
    width = int(col.max()) + 2 * reach + 1
    height = int(row.max()) + 2 * reach + 1
    keys = (crs * height + row) * width + col
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    found = [
        _at(keys, ordered, order, down * width + right)
        for down, right in _half_ring(reach)
    ]
    left, right = (np.concatenate(side) for side in zip(*found, strict=True))
    return left, right


def _half_ring(reach: int) -> list[tuple[int, int]]:
    """One of each two opposite steps to the cells exactly `reach` away."""
    span = range(-reach, reach + 1)
    return [
        (down, right)
        for down in range(reach + 1)
        for right in span
        if max(down, abs(right)) == reach and (down > 0 or right > 0)
    ]


def _at(
    keys: NDArray[np.int64],
    ordered: NDArray[np.int64],
    order: NDArray[np.int64],
    step: int,
) -> Pairs:
    """Pairs of rows and the rows whose key is `step` larger."""
    start = np.searchsorted(ordered, keys + step, side="left")
    count = np.searchsorted(ordered, keys + step, side="right") - start
    left = np.repeat(np.arange(len(keys)), count)
    ends = np.cumsum(count)
    within = np.arange(len(left)) - np.repeat(ends - count, count)
    return left, order[np.repeat(start, count) + within]
