"""How often unchanged ground raises evidence as high: thresholds from placebo charts (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 20
"""Excursions, at least, that the tail is fitted on: a tenth of all, where that is more.

The standard error of the fitted scale is a 1 / sqrt(20) of it: 22 %.
"""
_TOP = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The highest levels of separate excursions of placebo charts.

    Beyond the level `start` the rate falls exponentially with the level, as that of CUSUM
    does for independent dates (Siegmund 1985, "Sequential Analysis", chapter 10); below it
    the excursions are counted.
    """

    peaks: NDArray[np.float32]
    """(e,), descending, at least `LEAST`."""
    years: float
    """Patch-years that were watched to see them."""
    start: float
    """The level from which on the tail is extrapolated."""
    scale: float
    """Level by which the rate falls to 1 / e; above 0."""

    @classmethod
    def fit(cls, peaks: NDArray[np.floating], years: float) -> "Tail":
        """Fit by the mean excess of the highest excursions.

        Raises:
            ValueError: no time was watched, or there are too few excursions, or they are
                too much alike, to say how rare a higher one is.
        """
        if not years > 0:
            raise ValueError(f"expected patch-years above 0, got {years}")
        high = np.sort(np.asarray(peaks, np.float32))[::-1]
        if len(high) < LEAST:
            raise ValueError(
                f"expected at least {LEAST} excursions of placebo charts to set a threshold "
                f"by, got {len(high)}"
            )
        count = max(LEAST, int(np.ceil(_TOP * len(high))))
        start = float(high[count - 1])
        excess = float(np.mean(high[:count].astype(np.float64) - start))
        if not excess > 0:
            raise ValueError(
                f"expected excursions of placebo charts that differ, got {count} of level "
                f"{start:g}"
            )
        return cls(high, years, start, excess)

    def rate(self, level: NDArray[np.floating]) -> NDArray[np.float64]:
        """Excursions per patch-year that reach each level."""
        wanted = np.asarray(level, np.float64)
        ascending = self.peaks[::-1].astype(np.float64)
        counted = (len(ascending) - np.searchsorted(ascending, wanted)) / self.years
        at_start = (
            len(ascending) - np.searchsorted(ascending, self.start)
        ) / self.years
        beyond = at_start * np.exp(-np.maximum(wanted - self.start, 0.0) / self.scale)
        return np.where(wanted > self.start, beyond, counted)

    def threshold(self, rate: float) -> float:
        """The lowest level that excursions reach at most `rate` times per patch-year."""
        at_start = float(self.rate(np.array(self.start)))
        if rate < at_start:
            return self.start + self.scale * float(np.log(at_start / rate))
        allowed = int(rate * self.years)
        if allowed >= len(self.peaks):
            return 0.0
        return float(np.nextafter(self.peaks[allowed], np.float32(np.inf)))
