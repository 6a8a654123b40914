"""How often unchanged ground raises evidence as high: thresholds from placebo charts (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TOP = 0.1
_LEAST = 20
"""Excursions, at least, that the tail is fitted on: a tenth of all, where that is more."""


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The highest levels of separate excursions of placebo charts.

    Beyond the level `start` the rate falls exponentially with the level, as that of CUSUM
    does for independent dates (Siegmund 1985, "Sequential Analysis", chapter 10); below it
    the excursions are counted.
    """

    peaks: NDArray[np.float32]
    """(e,), descending."""
    years: float
    """Patch-years that were watched to see them."""
    start: float
    """The level from which on the tail is extrapolated."""
    scale: float
    """Level by which the rate falls to 1 / e."""

    @classmethod
    def fit(cls, peaks: NDArray[np.floating], years: float) -> "Tail":
        """Fit by the mean excess of the highest excursions.

        Raises:
            ValueError: no time was watched.
        """
        if not years > 0:
            raise ValueError(f"expected patch-years above 0, got {years}")
        high = np.sort(np.asarray(peaks, np.float32))[::-1]
        if len(high) == 0:
            return cls(high, years, 0.0, 0.0)
        count = min(len(high), max(_LEAST, int(np.ceil(_TOP * len(high)))))
        start = float(high[count - 1])
        excess = float(np.mean(high[:count].astype(np.float64) - start))
        return cls(high, years, start, excess)

    def rate(self, level: NDArray[np.floating]) -> NDArray[np.float64]:
        """Excursions per patch-year that reach each level."""
        wanted = np.asarray(level, np.float64)
        ascending = self.peaks[::-1].astype(np.float64)
        counted = (len(ascending) - np.searchsorted(ascending, wanted)) / self.years
        if self.scale <= 0:
            return counted
        at_start = (
            len(ascending) - np.searchsorted(ascending, self.start)
        ) / self.years
        beyond = at_start * np.exp(-np.maximum(wanted - self.start, 0.0) / self.scale)
        return np.where(wanted > self.start, beyond, counted)

    def threshold(self, rate: float) -> float:
        """The lowest level that excursions reach at most `rate` times per patch-year."""
        if len(self.peaks) == 0:
            return 0.0
        at_start = float(self.rate(np.array(self.start)))
        if rate < at_start:
            # Without a spread nothing can be extrapolated: above all that was seen.
            top = float(np.nextafter(self.peaks[0], np.float32(np.inf)))
            return (
                self.start + self.scale * float(np.log(at_start / rate))
                if self.scale > 0
                else top
            )
        allowed = int(rate * self.years)
        if allowed >= len(self.peaks):
            return 0.0
        return float(np.nextafter(self.peaks[allowed], np.float32(np.inf)))
