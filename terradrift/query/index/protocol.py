"""What a search asks of an index of vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from terradrift.query.search.nearest import Found, Query


@dataclass(frozen=True, slots=True)
class Recall:
    """How much of the exact answer an index gave to queries like the one that was asked."""

    value: float
    """Share of the exact k nearest that were found, 0 to 1; mean of the queries."""
    k: int
    queries: int
    """That it was measured with, of rows and of none; their nearest as far as those found."""
    error: float = 0.0
    """Standard error of `value`: the queries' spread over the root of how many there are."""

    def __str__(self) -> str:
        return (
            f"recall {self.value:.3f} ± {self.error:.3f} at {self.k:,} "
            f"(measured on {self.queries:,} queries like it)"
        )


class Index(Protocol):
    """The vectors of one search in one table, as far as they are covered.

    Rows are told by Lance's row ids (`_rowid`, of the version that was opened).
    """

    @property
    def rows(self) -> int:
        """Rows that are covered."""

    @property
    def fresh(self) -> tuple[int, ...]:
        """Ids of the fragments that are not covered: they are to be searched beside."""

    @property
    def reach(self) -> int:
        """The greatest k that `near` answers by codes; beyond it `near` is exact."""

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
        """The `k` nearest of the covered rows, or of those of them in `allowed` (sorted).

        Compared on `device` of torch, or on `threads` of the processor; the same rows.
        `check` is called every few thousand rows (once, on a device), and what it raises
        ends the search.
        """

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

        Exact, with a recall of no queries, where none was measured for such a query.
        """
