"""The passes of a search for nearest neighbours; `neighbours.knn` begins them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.candidates import project, rounding
from terradrift.detect.pruned import Pruned
from terradrift.detect.ranking import Among, Exact, Indices, Rows, ranked, searched

_LOG = logging.getLogger(__name__)

_SPARE = 8
"""Candidates beyond `k`; half of `k` where that is more."""
_SHORT_SPARE = 18
"""More candidates where they are chosen by fewer dimensions: 48 in all for k = 20."""
_COARSE = 18
"""Likewise where they are chosen by coarse products."""
_WIDE, _MANY = 128, 4096
"""Dimensions and rows from which fewer dimensions pay."""
_PROBE = 256
"""Queries on which it is tried whether they do: where `_WORTH` stay open, they do not."""
_WORTH = 0.5
_FEW = 64
_CALL = 500
"""Columns of products in the time that it takes to compare one more pair of rows; each
column of such a pair takes that of `_APART` columns of products."""
_APART = 2.6
_LEAST = 1024
"""Rows that any query may be compared with one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One search, and what it has found so far."""

    queries: Rows
    among: Among
    own: Indices | None
    distances: Exact
    indices: Indices
    candidates: Callable[..., tuple[Indices, Exact]]
    """As `candidates.candidates`, of a backend."""
    threads: int

    def bounds(self, center: Rows) -> Indices:
        """Search by the kernel; returns the queries that it gave up."""
        rows, todo = self.among.rows, np.arange(len(self.queries))
        n, width = rows.shape
        short = project(self.queries, rows, center) if self._long() else None
        pruned = Pruned(self.queries, self.among, self.own, center, short)
        apiece = _CALL + _APART * width
        least = max(_LEAST, 4 * self.distances.shape[1])
        if short is not None:
            probe = todo[:: len(todo) // _PROBE]
            apart = self._take(pruned, probe, few=True, budget=n)
            if _FEW * n + apiece * apart.mean() < width * n:
                budget = max(least, int(width * n / apiece))
                apart = self._take(pruned, todo, few=True, budget=budget)
                todo = _left("few columns", todo, apart > budget)
        if len(todo):
            budget = max(least, n // 6)  # by then, all by float64 costs no more
            apart = self._take(pruned, todo, few=False, budget=budget)
            todo = _left("all columns", todo, apart > budget)
        return todo

    def _take(
        self, pruned: Pruned, todo: Indices, *, few: bool, budget: int
    ) -> NDArray[np.int64]:
        """Answer the queries `todo`; returns how many rows each was compared with."""
        self.distances[todo], self.indices[todo], apart = pruned.nearest(
            todo, self.distances.shape[1], few=few, budget=budget, threads=self.threads
        )
        return apart

    def _long(self) -> bool:
        """Whether fewer dimensions may pay."""
        rows = self.among.rows
        return rows.shape[1] >= _WIDE and min(len(self.queries), len(rows)) >= _MANY

    def products(
        self, center: Rows, todo: Indices | None = None, *, coarse: bool = False
    ) -> Indices:
        """Search by candidates, for the queries `todo` or for all.

        By `coarse` products first, where these are quicker. Returns the queries that are
        not proven.
        """
        rows = self.among.rows - center
        queries = self.queries - center
        few = todo is None
        todo = np.arange(len(queries)) if todo is None else todo
        if few and self._long():
            short = project(queries, rows)
            probe = todo[:: len(todo) // _PROBE]
            if len(self._prove(probe, *short, _SHORT_SPARE)) < _WORTH * len(probe):
                todo = self._prove(todo, *short, _SHORT_SPARE)
        for rough in (True, False) if coarse else (False,):
            if len(todo):
                todo = self._prove(todo, queries, rows, _COARSE * rough, coarse=rough)
        return todo

    def finish(self, todo: Indices) -> None:
        """Answer the queries `todo`, of whose last distance no less is known."""
        if len(todo):
            self.distances[todo], self.indices[todo] = searched(
                self.queries[todo],
                self.among,
                self._own(todo),
                self.distances[todo, -1],
                self.distances.shape[1],
            )

    def _prove(
        self,
        todo: Indices,
        queries: Rows,
        rows: Rows,
        spare: int,
        *,
        coarse: bool = False,
    ) -> Indices:
        """Answer the queries `todo` from candidates; returns those without proof."""
        k = self.distances.shape[1]
        width = k + (self.own is not None) + max(_SPARE, k // 2) + spare
        width = min(width, len(rows))
        near, beyond = self.candidates(queries[todo], rows, width, coarse=coarse)
        self.distances[todo], self.indices[todo] = ranked(
            self.queries[todo],
            self.among,
            near,
            self._own(todo),
            k,
            threads=self.threads,
        )
        if width == len(rows):
            return todo[:0]
        slack = rounding(queries.shape[1], coarse=coarse)
        norms = np.linalg.norm(queries[todo].astype(np.float64), axis=1)
        reach = self.distances[todo, -1]
        open_ = beyond <= reach**2 + slack * (2 * norms + reach) ** 2
        name = f"{queries.shape[1]} columns" + " coarsely" * coarse
        return _left(name, todo, open_)

    def _own(self, todo: Indices) -> Indices | None:
        return None if self.own is None else self.own[todo]


def _left(name: str, todo: Indices, open_: NDArray[np.bool_]) -> Indices:
    """The queries that a pass leaves open."""
    _LOG.debug("%s: %d of %d queries proven", name, (~open_).sum(), len(todo))
    return todo[open_]
