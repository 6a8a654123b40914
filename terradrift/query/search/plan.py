"""How a search is answered: exactly on the rows that pass, or by an index and exactly again.

Few rows are compared one by one: from the index's copy of the vectors where there is one,
from the table where not. Many rows are searched by the index's codes, if it has any and
exact answers were not asked for. Rows that the index does not cover are always compared
too, and the answers are merged.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query import lance_scan, rows_of
from terradrift.query import tables as _tables
from terradrift.query.search import nearest
from terradrift.query.search.deadline import NEVER, Deadline
from terradrift.query.search.nearest import Found, Query

if TYPE_CHECKING:
    import lance

    from terradrift.query.index.protocol import Index, Recall

FEW_BYTES = 64 << 20
"""Vectors of that size are compared one by one even where there is an index."""

_FRAGMENT = np.uint64(32)
"""Bits of a row id below the id of its fragment."""
_LOOK = 6
"""Rows beyond those asked for whose columns are read before those of all that were fetched."""
_MORE = 4
"""How many times as many rows are fetched where too many were left out."""


@dataclass(eq=False)
class Search:
    """One question on one table; asked for ever more rows until enough are left."""

    table: "lance.LanceDataset"
    query: Query
    allowed: NDArray[np.uint64] | None
    """Ids of the rows that pass the conditions, sorted; None: all rows."""
    index: "Index | None" = None
    exact: bool | None = None
    """Whether it must be exact; None: where that is cheap."""
    threads: int = 1
    device: str | None = None
    """Of torch, where rows that an index covers are compared; None: the processor."""
    deadline: Deadline = NEVER
    far: bool = field(default=False, init=False)
    """Whether the query lies so far from all rows that the index was done without."""
    recall: "Recall | None" = field(default=None, init=False)
    """Of the last answer; None: it was exact."""
    beyond: int | None = field(default=None, init=False)
    """For how many rows the index was asked, where no recall was measured for so many."""
    fresh_rows: int = field(default=0, init=False)
    known: pa.Table | None = field(default=None, init=False)
    """Columns of the last answer's rows that had to be read to choose them."""

    def __post_init__(self) -> None:
        self.rows = self.table.count_rows()

    @property
    def passing(self) -> int:
        """Rows that pass the conditions."""
        return self.rows if self.allowed is None else len(self.allowed)

    @property
    def few(self) -> bool:
        """Whether so few rows pass that comparing each is the best plan."""
        dimensions = [
            _tables.dimensions(self.table, name) for name in self.query.columns
        ]
        return self.passing * 2 * sum(dimensions) <= FEW_BYTES

    def nearest(self, k: int) -> Found:
        """The `k` nearest rows.

        Raises:
            QueryError: the time is over.
        """
        if self.passing == 0:
            return Found(np.empty(0, np.uint64), np.empty(0))
        if self.index is None:
            return self._streamed(k, None, self.allowed)
        return self._by_index(self.index, k)

    def _by_index(self, index: "Index", k: int) -> Found:
        fresh = np.array(index.fresh, np.uint64)
        old, new = self.allowed, self.allowed
        if self.allowed is not None and len(fresh):
            late = np.isin(self.allowed >> _FRAGMENT, fresh)
            old, new = self.allowed[~late], self.allowed[late]
        found = self._covered(index, k, old)
        self.deadline.check()
        if not len(fresh) or (new is not None and not len(new)):
            return found
        held = {part.fragment_id: part for part in self.table.get_fragments()}
        late_parts = [held[one] for one in index.fresh]
        self.fresh_rows = (
            sum(part.count_rows() for part in late_parts) if new is None else len(new)
        )
        others = self._streamed(k, late_parts, new)
        ids = np.concatenate([found.row_ids, others.row_ids])
        distances = np.concatenate([found.distances, others.distances])
        order = rows_of.nearest_first(self.table, ids, distances, self.query.keys)[:k]
        return Found(ids[order], distances[order])

    def _covered(
        self, index: "Index", k: int, allowed: NDArray[np.uint64] | None
    ) -> Found:
        exactly = self.few if self.exact is None else self.exact
        # A device compares all rows in less time than codes take.
        exactly = exactly or (self.device is not None and self.exact is None)
        self.recall = None
        if not exactly and not self.far:
            found, recall = index.near(
                self.query,
                k,
                allowed=allowed,
                threads=self.threads,
                check=self.deadline.check,
            )
            # Where nothing was measured it has compared every row.
            measured = recall.queries > 0
            self.recall = recall if measured else None
            self.beyond = k if k > index.reach else None
            self.far = not measured and self.beyond is None and len(found.row_ids) > 0
            return found
        return index.exact(
            self.query,
            k,
            allowed=allowed,
            threads=self.threads,
            device=self.device,
            check=self.deadline.check,
        )

    def _streamed(
        self,
        k: int,
        fragments: "list[lance.LanceFragment] | None",
        allowed: NDArray[np.uint64] | None,
    ) -> Found:
        names = [*self.query.columns, *self.query.keys, lance_scan.ROW_ID]
        columns = {name: f"`{name}`" for name in names}
        if fragments is None:
            batches: Iterable[pa.RecordBatch] = lance_scan.scan(
                self.table, columns, allowed
            )
        else:
            batches = self.table.scanner(
                columns=columns, fragments=fragments, batch_size=lance_scan.BATCH_ROWS
            ).to_batches()
        return nearest.nearest(
            self.deadline.batches(batches),
            self.query,
            k,
            allowed=allowed,
            threads=self.threads,
        )

    def told(self) -> str:
        """How it was answered, in words."""
        if self.recall is None:
            on = f" on {self.device}" if self.device and self.index else ""
            how, all_rows = f"exact{on}", f"all {self.rows:,} rows"
        else:
            how, all_rows = f"index, {self.recall}", f"{self.rows:,} rows"
            if self.allowed is not None:
                how += ", not measured with a filter"
        which = (
            all_rows
            if self.allowed is None
            else f"{self.passing:,} of {self.rows:,} rows pass the filter"
        )
        newer = (
            f"; {self.fresh_rows:,} newer rows searched exactly"
            if self.fresh_rows
            else ""
        )
        return f"{how}, {which}{newer}{self._why_exact()}"

    def _why_exact(self) -> str:
        """Why every row was compared though there is an index, or one was asked for."""
        if self.far:
            return "; the example is too far from all rows for an index"
        if self.index is None and self.exact is False:
            return "; there is no index of this search, terradrift index makes one"
        if self.recall is None and self.beyond is not None:
            return f"; no recall was measured for {self.beyond:,} rows"
        return ""


def device(asked: str | None) -> str | None:
    """The device to compare rows on; None: the processor.

    Unless `cuda` is asked for, torch is not imported for it, which takes seconds; where
    somebody did that already, its device is used.

    Raises:
        QueryError: no such device, or torch sees none.
    """
    if asked not in (None, "auto", "cpu", "cuda"):
        raise QueryError(f"device must be auto, cpu or cuda, got {asked!r}")
    if asked == "cpu" or (asked != "cuda" and "torch" not in sys.modules):
        return None
    from terradrift.query.search import gpu

    found = gpu.available()
    if found is None and asked == "cuda":
        raise QueryError(
            "expected a GPU for device='cuda', torch 2.8 or newer sees none; leave it out"
        )
    return found


def enough(
    search: Search,
    k: int,
    columns: Sequence[str],
    first: int,
    kept: Callable[[pa.Table], NDArray[np.bool_]],
) -> tuple[Found, pa.Table]:
    """The first `k` rows that `kept` keeps of the nearest, and `columns` of them.

    `first` are fetched at first, and more and more until there are enough, or there are no
    more. Without columns all are kept.
    """
    while True:
        found = search.nearest(first)
        at = np.arange(min(k, len(found.row_ids)))
        # What is kept of the nearest does not change with what is farther, and rows cost.
        for looked in sorted({min(k + _LOOK, first), first} if columns else {k}):
            rows = rows_of.take(search.table, found.row_ids[:looked], columns)
            if columns:
                at = np.flatnonzero(kept(rows))[:k]
            if len(at) == k:
                break
        if len(at) == k or len(found.row_ids) < first or first >= search.passing:
            kept_rows = rows if not columns else rows.take(pa.array(at))
            return Found(found.row_ids[at], found.distances[at]), kept_rows
        first = min(first * _MORE, search.passing)


def at_first(search: Search, least: int, spare: int) -> int:
    """How many rows to fetch at first: some more than `least`, within reach of codes."""
    first = min(least + spare, search.passing)
    if search.index is not None and least <= search.index.reach < first:
        return search.index.reach
    return first
