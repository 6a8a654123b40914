"""Recall of an index on queries of many kinds, and the probes chosen by it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from terradrift.query.index import bins
from terradrift.query.index.exact import Vectors
from terradrift.query.index.probe import probe
from terradrift.query.search.nearest import Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.query.index.codes import Lists
    from terradrift.query.index.flat import Flat
    from terradrift.query.index.frame import Frame

QUERIES = 200
"""Rows drawn by chance that recall is measured with, where there are so many."""
POOL = 600
"""Rows of which the `EACH` farthest from all centroids are asked with too."""
EACH = 60
"""Queries of each other kind: those rows, opposites of rows, and any directions."""
KS = (10, 100, 1250)
"""What recall is measured at; a thousand rows are asked for with some to leave out."""


COLUMNS = 1 + len(bins.Part._fields)
"""Numbers of a part of one k."""


@dataclass(eq=False)
class Truth:
    """The exact nearest rows of some of the rows, gathered block by block."""

    at: NDArray[np.int64]
    """(q,) positions of the rows that are asked with; -1 of what is no row."""
    rows: NDArray[np.float32]
    """(q, r) their vectors, placed."""
    ordinary: NDArray[np.bool_]
    """(q,) which are rows drawn by chance."""
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
        return tuple(k for k in KS if k < rows and self.ordinary.any())

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
        """(m, 6), as `codes.Lists.measured`."""
        ks = self.ks(int((list_of >= 0).sum()))
        if not ks:
            return np.empty((0, COLUMNS))
        others = self._nearest()
        order = np.argsort(lists.halves - self.rows @ lists.centroids.T, axis=1)
        rank = np.argsort(order, axis=1)
        vectors = Vectors(frame, flats, lists.lengths)
        shape = (len(self.rows), len(frame.columns), -1)
        directions = (self.rows @ lists.rotation).reshape(shape)
        queries = [Query(frame.columns, one, (), frame.space) for one in directions]
        found = []
        for k in ks:
            ranks = [rank[i, list_of[o[:k]]] for i, o in enumerate(others)]
            ask = partial(_ask, vectors, lists, queries, self.at, others, k)
            parts = bins.choose(bins.Asked(self.ordinary, ranks), ask, lists.count)
            found += [(k, *part) for part in parts]
        return np.array(found, np.float64).reshape(-1, COLUMNS)


def questions(
    asked: tuple[NDArray[np.int64], NDArray[np.float32]],
    pool: tuple[NDArray[np.int64], NDArray[np.float32]],
    centroids: NDArray[np.float32],
    rng: np.random.Generator,
) -> Truth:
    """What recall is measured with, from placed rows: these, and other kinds.

    Args:
        asked: positions (q,) and vectors (q, r) of rows drawn by chance.
        pool: of others, of which the farthest from all centroids are asked with.
        centroids: (lists, r).
        rng: of the directions that are no row's.
    """
    at, rows = asked
    near = (pool[1] @ centroids.T).max(axis=1, initial=-1)
    broad = np.argsort(near, kind="stable")[:EACH]
    opposite = -rows[:EACH]
    any_ = rng.standard_normal((EACH, rows.shape[1])).astype(np.float32)
    any_ /= np.linalg.norm(any_, axis=1)[:, None]
    none = np.full(len(opposite) + len(any_), -1)
    found = np.concatenate([rows, pool[1][broad], opposite, any_])
    return Truth(
        np.concatenate([at, pool[0][broad], none]),
        found,
        np.arange(len(found)) < len(at),
    )


def _ask(  # noqa: PLR0917 - one search after the other
    vectors: Vectors,
    lists: Lists,
    queries: list[Query],
    own: NDArray[np.int64],
    others: list[NDArray[np.int64]],
    k: int,
    which: NDArray[np.int64],
    probes: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the `k` nearest other rows that is found, and how far the `NEXT`-th is."""
    shares, far = np.empty(len(which)), np.empty(len(which))
    for i, at in enumerate(which.tolist()):
        probed = probe(vectors, lists, queries[at], max(k + 1, bins.NEXT), probes)
        near = probed.positions[np.argsort(-probed.cosines)]
        near = near[near != own[at]][:k]
        shares[i] = np.isin(others[at][:k], near).mean()
        far[i] = probed.far(bins.NEXT)
    return shares, far
