"""What evaluation needs to know of the patches beside truth and scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate.truth import NOT_A_DAY


@dataclass(frozen=True, slots=True, eq=False)
class Acquisitions:
    """Days on which each of `n` patches was clear."""

    start: NDArray[np.int64]
    """(n + 1,), where the days of each patch begin in `days`."""
    days: NDArray[np.datetime64]
    """(k,), datetime64[D], ascending within a patch."""

    @classmethod
    def of(
        cls, n: int, patch: NDArray[np.int64], days: NDArray[np.datetime64]
    ) -> "Acquisitions":
        """From the patch (k,) and the day (k,) of each clear observation, in any order."""
        order = np.lexsort((days, patch))
        start = np.searchsorted(patch[order], np.arange(n + 1))
        return cls(start, days[order].astype("datetime64[D]"))

    def before(
        self, rows: NDArray[np.int64], at: NDArray[np.datetime64]
    ) -> NDArray[np.float64]:
        """(m,) how many of each patch's days lie before a day (m,); NaN where it has none."""
        found = np.full(len(rows), np.nan)
        for place, (row, day) in enumerate(zip(rows, at, strict=True)):
            own = self.days[self.start[row] : self.start[row + 1]]
            if len(own) and not np.isnat(day):
                found[place] = np.searchsorted(own, day)
        return found


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ground:
    """`n` patches: where they are, and how long they were seen."""

    cells: NDArray[np.int64]
    """(n, 3), number of the CRS, row, column."""
    patch_size: int
    """Metres."""
    years: NDArray[np.float64]
    """(n,), from the first clear observation to the last one; 0 where there are none."""
    reason: NDArray[np.str_] | None = None
    """(n,), why a patch has no score; empty where it has one."""
    clear: Acquisitions | None = None
    """Clear days, needed of the changed patches only."""
    corners: NDArray[np.float64] | None = None
    """(n, 4, 2), longitude and latitude of corners, for the map."""

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def km2(self) -> float:
        """Area of a patch."""
        return (self.patch_size / 1000) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """`c` changes as a user is told of them; a patch may have several."""

    patch: NDArray[np.int64]
    """(c,), row of the patch."""
    onset: NDArray[np.datetime64]
    """(c,), datetime64[D]"""
    early: NDArray[np.datetime64]
    """(c,), datetime64[D], first day of the stated interval of the onset, NaT without."""
    late: NDArray[np.datetime64]
    """(c,), datetime64[D], its last day."""
    rank: NDArray[np.int64]
    """(c,), rank of the event that the change belongs to, 0 without events."""

    def __len__(self) -> int:
        return len(self.patch)

    @classmethod
    def of(
        cls, reported: NDArray[np.bool_], onset: NDArray[np.datetime64]
    ) -> "Reported":
        """One change for each patch (n,) that is reported, without interval or event."""
        patch = np.flatnonzero(reported)
        none = np.full(len(patch), NOT_A_DAY)
        return cls(patch, onset[patch], none, none, np.zeros(len(patch), np.int64))
