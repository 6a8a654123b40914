"""Whether a query is like the rows that an index's recall was measured with.

Recall is measured with rows as queries, whose neighbours stand close in few lists. The
neighbours of other queries, such as the opposite of a row, may be far from it and scattered
over all lists, of which an index looks at some. How far the nearest found are tells one from
the other: a query is held against rows of the table, drawn evenly.
"""

import threading
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terradrift.query.search.nearest import Found, Query, moved

if TYPE_CHECKING:
    import lance

    from terradrift.query.index.protocol import Index

NEAREST = 10
"""Which of the nearest is looked at."""
ROWS = 32
"""Rows that a query is held against."""

_guard = threading.Lock()
_FARTHEST: "weakref.WeakKeyDictionary[Index, float]" = weakref.WeakKeyDictionary()


def is_typical(
    index: "Index", table: "lance.LanceDataset", query: Query, found: Found
) -> bool:
    """Whether the nearest that the index found are no farther than rows' are from rows.

    The first question of an index asks it `ROWS` times.
    """
    if not len(found.distances):
        return True
    with _guard:
        if (farthest := _FARTHEST.get(index)) is None:
            farthest = _FARTHEST[index] = _farthest(index, table, query)
    last = min(len(found.distances), NEAREST) - 1
    return bool(found.distances[last] <= farthest)


def _farthest(index: "Index", table: "lance.LanceDataset", query: Query) -> float:
    """The largest distance of a row's `NEAREST`-th other row, of the rows drawn."""
    vectors = _rows(table, query)
    asked = [replace(query, vectors=one) for one in vectors if one.any()]
    # A row is its own nearest.
    found = [index.near(one, NEAREST + 1)[0].distances for one in asked]
    return max((float(each[-1]) for each in found if len(each)), default=0.0)


def _rows(table: "lance.LanceDataset", query: Query) -> NDArray[np.float32]:
    """(n, columns, r) vectors of rows drawn evenly, in the space; zeros where not finite."""
    count = table.count_rows()
    at = np.unique(np.linspace(0, count - 1, min(ROWS, count)).astype(np.int64))
    taken = table.take(at.tolist(), columns=list(query.columns))
    parts = []
    for name in query.columns:
        column = taken[name].combine_chunks()
        size = column.type.list_size
        values = column.values.slice(column.offset * size, len(column) * size)
        matrix = values.to_numpy(zero_copy_only=False).reshape(-1, size)
        parts.append(moved(matrix.astype(np.float32), name, query.space))
    vectors = np.stack(parts, axis=1)
    usable = np.isfinite(vectors).all(axis=(1, 2))
    vectors[~usable] = 0
    return vectors
