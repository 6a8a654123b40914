"""The nearest among candidates: distances by differences of coordinates, ties by index.

Differences are float32, their squares are exact in float64 and summed in 16 parts, in the
same order by the compiled kernel and by NumPy.
"""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift import kernels

Rows = NDArray[np.float32]
Indices = NDArray[np.int64]
Exact = NDArray[np.float64]

_BLOCK_BYTES = 1 << 24
_LANES = 16  # as in the kernel


@dataclass(frozen=True, slots=True, eq=False)
class Among:
    """Rows to search, and where they stand for the caller."""

    rows: Rows
    index: Indices


def ranked(
    queries: Rows,
    among: Among,
    near: Indices,
    own: Indices | None,
    k: int,
    *,
    threads: int = 1,
) -> tuple[Exact, Indices]:
    """Rank the candidates `near` (m, c) of each query: (m, k) distances and indices.

    `own` (m,) are indices that are no neighbour of their query.
    """
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), np.int64)
    near = np.sort(near, axis=1)
    step = max(1, _BLOCK_BYTES // (4 * near.shape[1] * max(1, queries.shape[1])))

    def rank(start: int) -> None:
        part = slice(start, start + step)
        exact = distances_to(queries[part], among.rows, near[part])
        found = among.index[near[part]]
        if own is not None:
            exact[found == own[part, None]] = np.inf
        order = np.argsort(exact, axis=1, kind="stable")[:, :k]
        distances[part] = np.take_along_axis(exact, order, axis=1)
        indices[part] = np.take_along_axis(found, order, axis=1)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(rank, range(0, len(queries), step)))
    return distances, indices


def distances_to(queries: Rows, rows: Rows, near: Indices) -> Exact:
    """(m, c) distances of the queries (m, d) to the rows `near` (m, c) of (n, d)."""
    library = kernels.opened("neighbours")
    if library is None:
        gaps = rows[near]  # (m, c, d)
        gaps -= queries[:, None]
        return _lengths(gaps)
    queries, rows = np.ascontiguousarray(queries), np.ascontiguousarray(rows)
    near = np.ascontiguousarray(near, dtype=np.int64)
    out = np.empty(near.shape)
    arrays = (queries, rows, near, out)
    library.distances(
        *(ctypes.c_void_p(array.ctypes.data) for array in arrays),
        *(ctypes.c_int64(size) for size in (*near.shape, rows.shape[1])),
    )
    return out


def searched(
    queries: Rows, among: Among, own: Indices | None, reach: Exact, k: int
) -> tuple[Exact, Indices]:
    """Rank all rows within `reach` (m,) of each query, of which at least `k` must be.

    Float64 products leave out what is surely farther, so only ties and what is tight
    beside its distance from the origin is ranked in vain.
    """
    base = among.rows.astype(np.float64)
    norms = np.einsum("nd,nd->n", base, base)
    slack = (base.shape[1] + 16) * 2.0**-52
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), np.int64)
    step = max(1, 2 * _BLOCK_BYTES // (8 * len(base)))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        block = queries[part].astype(np.float64)
        squares = np.einsum("md,md->m", block, block)
        # `reach` stems from float32 differences, each true to 2**-24.
        limit = reach[part] ** 2 * (1 + 1e-6)
        limit += slack * (2 * np.sqrt(squares) + reach[part]) ** 2
        inside = norms - 2 * (block @ base.T) <= (limit - squares)[:, None]
        row, col = np.nonzero(inside)
        exact = _apart(queries[part], among.rows, row, col)
        found = among.index[col]
        if own is not None:
            exact[found == own[part][row]] = np.inf
        order = np.lexsort((found, exact, row))
        first = np.searchsorted(row, np.arange(len(block)))
        take = order[first[:, None] + np.arange(k)]
        distances[part], indices[part] = exact[take], found[take]
    return distances, indices


def _apart(
    queries: Rows, rows: Rows, row: NDArray[np.intp], col: NDArray[np.intp]
) -> Exact:
    """(pairs,) distance of `queries[row]` and `rows[col]`."""
    exact = np.empty(len(row))
    step = max(1, _BLOCK_BYTES // (4 * max(1, rows.shape[1])))
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        gaps = rows[col[part]] - queries[row[part]]
        exact[part] = _lengths(gaps)
    return exact


def _lengths(gaps: Rows) -> Exact:
    """(...,), lengths of differences (..., d)."""
    *many, width = gaps.shape
    whole = width // _LANES * _LANES
    squares = gaps.astype(np.float64)
    squares *= squares
    lanes = np.zeros((*many, _LANES))
    for start in range(0, whole, _LANES):
        lanes += squares[..., start : start + _LANES]
    lanes[..., : width - whole] += squares[..., whole:]
    while lanes.shape[-1] > 1:
        half = lanes.shape[-1] // 2
        lanes = lanes[..., :half] + lanes[..., half:]
    return np.asarray(np.sqrt(lanes[..., 0]))
