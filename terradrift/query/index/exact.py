"""The nearest of many rows, exactly: float32 products, then float64 where it may matter.

A row's float32 distance and a bound of its error give a least and a most; the k-th smallest
most of all rows is beyond the answer's farthest, so only rows whose least is below that are
looked at in float64. The answer is that of `search.nearest`, whatever threads and slices.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from terradrift.query.index.rows import dots, gamma, widen
from terradrift.query.search import nearest
from terradrift.store import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from terradrift.query.index.flat import Flat
    from terradrift.query.index.frame import Frame, Turned
    from terradrift.query.search.nearest import Query
    from terradrift.store.layout import Ranges

TASK_ROWS = 1 << 16
"""Rows of one task; fewer are searched by the thread that asks."""
_FEW = 256
"""Rows whose float64 values stay in a processor's own cache."""
_GATHER = 1 << 14
"""Rows beyond twice k that are kept before the k-th is sought."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Copies of the columns that are compared, in one space."""

    frame: Frame
    flats: Sequence[Flat]
    lengths: NDArray[np.float32]
    """(n,) of the rows in the space; 0 and NaN have no direction."""

    def slack(self, at: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """How far float32 distances of rows may be from those of float64, (n,) or (1,)."""
        frame = self.frame
        error = np.float32(4 * gamma(frame.dimensions) * frame.stretch)
        if frame.space is None:
            return np.full(1, error)
        size = np.full(1, np.linalg.norm(frame.means), np.float32)
        for flat in self.flats:
            size = size + flat.lengths[at]
        return np.asarray(error * size / self.lengths[at] + error)


def search(  # noqa: PLR0917 - what is searched, what for, and how
    vectors: Vectors,
    query: Query,
    k: int,
    slices: Ranges,
    threads: int,
    check: Callable[[], None] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Positions and distances of rows of `slices` (m, 2): the k nearest, and any as near.

    They stand in no order. `check` is called before each `TASK_ROWS` rows; what it raises
    ends the search.
    """
    turned = vectors.frame.turn(query.vectors)
    best = _Best(k)

    def task(part: Ranges) -> None:
        if check is not None:
            check()
        best.add(*_bounds(vectors, turned, part, best.bound))

    parts = cut(slices, TASK_ROWS)
    if threads == 1 or len(parts) == 1:
        for part in parts:
            task(part)
    else:
        with ThreadPoolExecutor(min(threads, len(parts))) as pool:
            waiting = [pool.submit(task, part) for part in parts]
            try:
                for done in waiting:
                    done.result()
            finally:
                pool.shutdown(cancel_futures=True)
    positions = np.sort(best.positions())
    return measure(vectors, query, positions, k)


def measure(
    vectors: Vectors, query: Query, positions: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows by their float64 distances: the k nearest of `positions`, and any as near."""
    nothing = np.zeros(vectors.frame.dimensions, np.float32)
    parts = []
    for start in range(0, len(positions), _FEW):
        at = positions[start : start + _FEW]
        wide = [np.empty((len(at), len(nothing)), np.float32) for _ in vectors.flats]
        for flat, values in zip(vectors.flats, wide, strict=True):
            widen(flat.vectors[at], nothing, values)
        parts.append(nearest.distances(wide, query))
    distances = np.concatenate([*parts, np.empty(0)])
    if len(distances) > k:
        near = distances <= np.partition(distances, k - 1)[k - 1]
        positions, distances = positions[near], distances[near]
    return positions, distances


def cut(slices: Ranges, rows: int) -> list[Ranges]:
    """The same rows in parts of at most `rows`, each a few slices."""
    ends = np.cumsum(slices[:, 1] - slices[:, 0])
    total = int(ends[-1]) if len(ends) else 0
    if total <= rows:
        return [slices]
    edges = np.sort(np.concatenate([ends, np.arange(0, total, rows)]), kind="stable")
    edges = edges[np.concatenate([[True], np.diff(edges) > 0])]
    first, last = edges[:-1], edges[1:]
    at = np.searchsorted(ends, first, side="right")
    shift = slices[at, 0] - (ends[at] - (slices[at, 1] - slices[at, 0]))
    pieces = np.column_stack([first + shift, last + shift])
    task = np.searchsorted(first, np.arange(rows, total, rows))
    return np.split(pieces, task)


def _bounds(
    vectors: Vectors, turned: Turned, part: Ranges, bound: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Of rows of slices whose least distance is within `bound`: positions, least and most."""
    products = np.zeros(int((part[:, 1] - part[:, 0]).sum()), np.float32)
    one = len(part) == 1
    at = slice(int(part[0, 0]), int(part[0, 1])) if one else layout.positions(part)
    lengths = vectors.lengths[at]
    # What is not finite, or has no length, has no direction and is within nothing.
    with np.errstate(invalid="ignore", divide="ignore"):
        for flat, vector in zip(vectors.flats, turned.vectors, strict=True):
            products += dots(flat.vectors, vector, part)
        distances = 1 - (products - np.float32(turned.offset)) / lengths
        slack = vectors.slack(at)
        least = distances - slack
        near = np.flatnonzero((least <= bound) & (lengths > 0))
    positions = near + part[0, 0] if one else layout.positions(part)[near]
    most = distances[near] + (slack if len(slack) == 1 else slack[near])
    return positions, least[near].astype(np.float64), most.astype(np.float64)


class _Best:
    """Rows that may be among the k nearest, from several threads."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._guard = threading.Lock()
        self._parts: list[tuple[NDArray[Any], ...]] = []
        self._rows = 0
        self.bound = np.inf
        """No row whose least distance is greater can be among the nearest any more."""

    def add(
        self,
        positions: NDArray[np.int64],
        least: NDArray[np.float64],
        most: NDArray[np.float64],
    ) -> None:
        with self._guard:
            self._parts.append((positions, least, most))
            self._rows += len(positions)
            if self._rows > 2 * self._k + _GATHER:
                self._cut()

    def positions(self) -> NDArray[np.int64]:
        self._cut()
        return self._parts[0][0]

    def _cut(self) -> None:
        empty = (np.empty(0, np.int64), np.empty(0), np.empty(0))
        columns = zip(empty, *self._parts, strict=True)
        positions, least, most = (np.concatenate(column) for column in columns)
        if len(most) > self._k:
            self.bound = np.partition(most, self._k - 1)[self._k - 1]
            near = least <= self.bound
            positions, least, most = positions[near], least[near], most[near]
        self._parts, self._rows = [(positions, least, most)], len(positions)
