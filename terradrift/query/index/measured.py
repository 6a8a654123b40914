"""Recall of an index on rows of its own as queries, and the probes chosen by it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from terradrift.query.index.codes import ERRORS, TARGET, Lists
from terradrift.query.index.exact import Vectors
from terradrift.query.index.probe import probe
from terradrift.query.index.rows import widen
from terradrift.query.search.nearest import Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.query.index.flat import Flat
    from terradrift.query.index.frame import Frame

QUERIES = 200
"""Rows that recall is measured with, where there are so many."""
KS = (10, 100, 1250)
"""What recall is measured at; a thousand rows are asked for with some to leave out."""
_GROWTH = 1.1


@dataclass(eq=False)
class Truth:
    """The exact nearest rows of some of the rows, gathered block by block."""

    at: NDArray[np.int64]
    """(q,) positions of the rows that are asked with."""
    rows: NDArray[np.float32]
    """(q, r) their vectors, placed."""
    _bound: NDArray[np.float32] = field(init=False)
    _parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = (
        field(init=False, default_factory=list)
    )
    _many: int = field(init=False, default=0)
    _guard: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._bound = np.full(len(self.at), -np.inf, np.float32)

    def ks(self, rows: int) -> tuple[int, ...]:
        """The ks that can be measured among so many rows with a direction."""
        return tuple(k for k in KS if k < rows and len(self.at))

    def add(
        self, start: int, rows: NDArray[np.float32], real: NDArray[np.bool_]
    ) -> None:
        """Look at placed rows (n, r) from the position `start` on, those that are `real`."""
        cosines = rows @ self.rows.T
        if not real.all():
            cosines[~real] = -np.inf
        near, asked = np.divmod(np.flatnonzero(cosines > self._bound), len(self.at))
        with self._guard:
            self._parts.append((asked, near + start, cosines[near, asked]))
            self._many += len(near)
            if self._many > 4 * len(self.at) * max(KS):
                self._cut()

    def _cut(self) -> None:
        """Keep the best of each query, one more than the largest k."""
        asked, near, cosines = (
            np.concatenate(p) for p in zip(*self._parts, strict=True)
        )
        order = np.argsort(asked, kind="stable")
        asked, near, cosines = asked[order], near[order], cosines[order]
        first = np.searchsorted(asked, np.arange(len(self.at) + 1))
        keep = np.ones(len(asked), bool)
        for query, (a, b) in enumerate(pairwise(first.tolist())):
            if b - a > max(KS) + 1:
                far = np.argpartition(-cosines[a:b], max(KS))
                keep[a + far[max(KS) + 1 :]] = False
                self._bound[query] = cosines[a + far[max(KS)]]
        self._parts = [(asked[keep], near[keep], cosines[keep])]
        self._many = int(keep.sum())

    def _nearest(self) -> list[NDArray[np.int64]]:
        """For each query the other rows that are kept, nearest first."""
        self._cut()
        asked, near, cosines = self._parts[0]
        order = np.lexsort((near, -cosines, asked))
        first = np.searchsorted(asked[order], np.arange(len(self.at) + 1))
        found = [near[order[a:b]] for a, b in pairwise(first.tolist())]
        return [one[one != own] for one, own in zip(found, self.at, strict=True)]

    def measure(
        self,
        frame: Frame,
        flats: list[Flat],
        lists: Lists,
        list_of: NDArray[np.int32],
    ) -> NDArray[np.float64]:
        """(m, 5), as `codes.Lists.measured`: the fewest probes that surely give the target.

        That is, the mean of the queries' recalls lies `ERRORS` standard errors above it.
        """
        ks = self.ks(int((list_of >= 0).sum()))
        if not ks:
            return np.empty((0, 5))
        others = self._nearest()
        order = np.argsort(lists.halves - self.rows @ lists.centroids.T, axis=1)
        rank = np.argsort(order, axis=1)
        queries = _queries(frame, flats, self.at)
        vectors = Vectors(frame, flats, lists.lengths)
        found = []
        for k in ks:
            ranks = [rank[i, list_of[o[:k]]] for i, o in enumerate(others)]
            probes = 1 + int(
                np.quantile(np.concatenate(ranks), TARGET, method="higher")
            )
            ask = partial(_found, vectors, lists, queries, self.at, k)
            value, error = _shared(ask(probes), others, k)
            while value - ERRORS * error < TARGET and probes < lists.count:
                probes = min(lists.count, 1 + int(_GROWTH * probes))
                value, error = _shared(ask(probes), others, k)
            found.append((k, probes, value, len(self.at), error))
        return np.array(found, np.float64).reshape(-1, 5)


def _found(  # noqa: PLR0917 - one search after the other
    vectors: Vectors,
    lists: Lists,
    queries: list[Query],
    own: NDArray[np.int64],
    k: int,
    probes: int,
) -> list[NDArray[np.int64]]:
    """For each query the `k` nearest of the other rows, by codes."""
    answers = []
    for query, itself in zip(queries, own, strict=True):
        probed = probe(vectors, lists, query, k + 1, probes)
        near = probed.positions[np.argsort(-probed.cosines)]
        answers.append(near[near != itself][:k])
    return answers


def _shared(
    found: list[NDArray[np.int64]], truth: list[NDArray[np.int64]], k: int
) -> tuple[float, float]:
    """Mean share of the first `k` of the truth that was found, and its standard error."""
    pairs = zip(found, truth, strict=True)
    shares = np.array([np.isin(real[:k], near).mean() for near, real in pairs])
    spread = shares.std(ddof=1) if len(shares) > 1 else 0.0
    return float(shares.mean()), float(spread / np.sqrt(len(shares)))


def _queries(frame: Frame, flats: list[Flat], at: NDArray[np.int64]) -> list[Query]:
    """The rows as queries in the space."""
    placed = []
    for flat, mean in zip(flats, frame.means, strict=True):
        wide = np.empty((len(at), frame.dimensions), np.float32)
        widen(flat.vectors[at], mean, wide)
        matrix = None if frame.space is None else frame.space.matrix
        placed.append(wide if matrix is None else wide @ matrix)
    return [
        Query(frame.columns, np.stack(vectors), (), frame.space)
        for vectors in zip(*placed, strict=True)
    ]
