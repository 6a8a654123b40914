"""How many of many values are at least as large, of those known by a day (pure).

Values in order are cut into runs; a table says how many of each day lie in the runs above.
What is asked reads one cell of it and one run: memory is that of the values and the table,
however many days are asked for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RUN = 128
_ASKED = 1 << 13
"""Looked up at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Values with the day from which each counts."""

    values: NDArray[np.float64]
    """(m,), ascending."""
    since: NDArray[np.int32]
    """(runs, 128), number in `days` of the day of each value; behind the last, none."""
    days: NDArray[np.datetime64]
    """(t,), ascending, each once."""
    above: NDArray[np.int32]
    """(runs + 1, t + 1), values from each run on that count before each number of days."""

    @classmethod
    def of(cls, values: NDArray[np.float64], since: NDArray[np.datetime64]) -> "Ranks":
        """Order finite values (m,) that count from the day `since` (m,) on."""
        order = np.argsort(values, kind="stable")
        days, number = np.unique(since, return_inverse=True)
        runs = -(-len(values) // _RUN)
        padded = np.full(runs * _RUN, len(days), np.int32)
        padded[: len(values)] = number.ravel()[order]
        place = np.arange(len(values)) // _RUN * len(days) + padded[: len(values)]
        table = np.bincount(place, minlength=runs * len(days)).reshape(runs, -1)
        above = np.zeros((runs + 1, len(days) + 1), np.int32)
        above[:-1, 1:] = table[::-1].cumsum(axis=0)[::-1].cumsum(axis=1)
        return cls(values[order], padded.reshape(runs, _RUN), days, above)

    def count(
        self, values: NDArray[np.float64], day: NDArray[np.datetime64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(q,) how many at least as large count on the day, and how many count at all."""
        until = np.searchsorted(self.days, day, side="right")
        at = np.searchsorted(self.values, values, side="left")
        run, first = np.divmod(at, _RUN)
        many = self.above[-(-at // _RUN), until].astype(np.int64)
        inside = np.flatnonzero(first > 0)
        place = np.arange(_RUN)
        for start in range(0, len(inside), _ASKED):
            some = inside[start : start + _ASKED]
            counted = self.since[run[some]] < until[some, None]
            counted &= place >= first[some, None]
            many[some] += counted.sum(axis=1)
        return many, self.above[0, until].astype(np.int64)
