"""q-values: the share of false discoveries among all that are at least as unlikely (pure).

Benjamini & Hochberg 1995, within each day. p-values are ranks and so take few distinct
values: of a day only these and how often each occurs are kept, however many patches there
are.
"""

import numpy as np
from numpy.typing import NDArray


def q_values(p: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n,) q-values of (n,) p-values; NaN stays NaN and does not count."""
    tally = Discoveries()
    day = np.zeros(len(p), np.int64)
    tally.add(day, p)
    return tally.q_values(day, p)


class Discoveries:
    """The p-values of each day, counted."""

    def __init__(self) -> None:
        """Begin with none."""
        self._days: dict[int, tuple[NDArray[np.float32], NDArray[np.int64]]] = {}

    def add(self, days: NDArray[np.int64], p: NDArray[np.floating]) -> None:
        """Count (n,) p-values of (n,) days, given by number; NaN does not count."""
        known = np.isfinite(p)
        days, p = days[known], p[known].astype(np.float32)
        for day in np.unique(days):
            values, counts = np.unique(p[days == day], return_counts=True)
            if int(day) in self._days:
                before, times = self._days[int(day)]
                values, place = np.unique(
                    np.concatenate([before, values]), return_inverse=True
                )
                counts = np.bincount(
                    place, np.concatenate([times, counts]), len(values)
                ).astype(np.int64)
            self._days[int(day)] = values, counts

    def q_values(
        self, days: NDArray[np.int64], p: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """(n,) q-values of p-values that were all counted; NaN where p is.

        Raises:
            ValueError: a p-value of that day was not counted.
        """
        out = np.full(len(p), np.nan, np.float32)
        known = np.isfinite(p)
        single = p.astype(np.float32)
        for day in np.unique(days[known]):
            rows = np.flatnonzero(known & (days == day))
            if int(day) not in self._days:
                raise ValueError(f"expected p-values of a counted day, got day {day}")
            values, counts = self._days[int(day)]
            place = np.minimum(np.searchsorted(values, single[rows]), len(values) - 1)
            if np.any(values[place] != single[rows]):
                raise ValueError(f"expected counted p-values of day {day}, got others")
            below = np.cumsum(counts)
            q = values.astype(np.float64) * below[-1] / below
            lowest = np.minimum.accumulate(q[::-1])[::-1]
            out[rows] = np.minimum(lowest, 1.0)[place]
        return out
