"""An index that is open: what `protocol.Index` promises, over files that are mapped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from terradrift.query import rows_of
from terradrift.query.index import bins, exact
from terradrift.query.index.probe import Probed, probe
from terradrift.query.index.protocol import Recall
from terradrift.query.search.nearest import Found
from terradrift.store import layout

if TYPE_CHECKING:
    from collections.abc import Callable

    import lance
    from numpy.typing import NDArray

    from terradrift.query.index.codes import Lists
    from terradrift.query.index.covered import Covered
    from terradrift.query.index.exact import Vectors
    from terradrift.query.search.nearest import Query
    from terradrift.store.layout import Ranges

_BITS = 64


@dataclass(frozen=True, eq=False)
class Open:
    """The files of one search, as far as they cover the version of the table."""

    dataset: lance.LanceDataset
    covered: Covered
    live: NDArray[np.bool_]
    """(f,), which fragments the version has as they were."""
    fresh: tuple[int, ...]
    """Ids of fragments that are not covered, or changed since."""
    vectors: Vectors
    lists: Lists

    @cached_property
    def rows(self) -> int:
        """Rows that are covered and have a direction."""
        return int(sum((self.vectors.lengths[a:b] > 0).sum() for a, b in self._ranges))

    @property
    def reach(self) -> int:
        """The greatest k that `near` answers by codes; recall was measured up to it."""
        return self.lists.reach

    @cached_property
    def _ranges(self) -> Ranges:
        return self.covered.ranges(self.live)

    def exact(
        self,
        query: Query,
        k: int,
        *,
        allowed: NDArray[np.uint64] | None = None,
        threads: int = 1,
        device: str | None = None,
        check: Callable[[], None] | None = None,
    ) -> Found:
        """The `k` nearest of the covered rows, or of those of them in `allowed` (sorted)."""
        ranges = self._ranges
        if check is not None:
            check()
        if allowed is not None:
            ranges = layout.covering(self.covered.positions(allowed, self.live), gap=0)
        if device is None:
            found = exact.search(self.vectors, query, k, ranges, threads, check)
        else:
            from terradrift.query.search import gpu

            found = gpu.nearest_on(device, self.vectors, query, k, ranges)
        return self._found(query, k, *found)

    def near(
        self,
        query: Query,
        k: int,
        *,
        allowed: NDArray[np.uint64] | None = None,
        threads: int = 1,
        check: Callable[[], None] | None = None,
    ) -> tuple[Found, Recall]:
        """As `exact` but by codes: nearly all of the nearest, and how nearly.

        The recall is that of searches without a condition, measured when the index was
        made, at the least k measured that is not below `k`, of queries whose nearest are
        about as far (`bins`). Where fewer rows are `allowed`, as many more lists are
        probed. Beyond `reach`, and for queries farther than any that were measured with
        enough recall, the answer is exact, and its recall of 0 queries.
        """
        part = self._part(query, k, allowed) if k <= self.reach else None
        if part is None:
            all_of_them = self.exact(
                query, k, allowed=allowed, threads=threads, check=check
            )
            return all_of_them, Recall(1, k, 0)
        found, recall = part
        measured = exact.measure(self.vectors, query, found.positions, k)
        return self._found(query, k, *measured), recall

    def _part(
        self, query: Query, k: int, allowed: NDArray[np.uint64] | None
    ) -> tuple[Probed, Recall] | None:
        """What the lists of the query's part hold; None where it is of none that is measured."""
        bits, passing = None, self.covered.rows
        if allowed is not None:
            at = self.covered.positions(allowed, self.live)
            bits, passing = _bits(self.covered.rows, at), len(at)
        elif not self.live.all():
            bits, passing = self._live_bits, self.rows
        if passing == 0:
            return None
        share = self.covered.rows / passing

        def ask(probes: int) -> Probed:
            many = min(self.lists.count, math.ceil(probes * share))
            least = max(k, bins.NEXT)
            return probe(self.vectors, self.lists, query, least, many, allowed=bits)

        parts = self.lists.parts(k)
        nearest = parts[0][1]
        found = ask(nearest)
        far = found.far(bins.NEXT)
        for farthest, probes, recall in parts:
            if far <= farthest:
                return found if probes == nearest else ask(probes), recall
        return None

    @cached_property
    def _live_bits(self) -> NDArray[np.uint64]:
        return _bits(self.covered.rows, layout.positions(self._ranges))

    def _found(
        self,
        query: Query,
        k: int,
        positions: NDArray[np.int64],
        distances: NDArray[np.float64],
    ) -> Found:
        """The first `k` by distance, those as near as each other by the query's keys."""
        ids = self.covered.row_ids(positions)
        order = rows_of.nearest_first(self.dataset, ids, distances, query.keys)[:k]
        return Found(ids[order], distances[order])


def _bits(rows: int, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A bit per row, set at `positions`, in words of 64."""
    flags = np.zeros(-(-rows // _BITS) * _BITS, bool)
    flags[positions] = True
    return (
        np.packbits(flags, bitorder="little").view("<u8").astype(np.uint64, copy=False)
    )
