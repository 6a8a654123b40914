"""How strong the strongest candidate of an unchanged patch is: the null, from the pool.

A placebo test, as in synthetic control (Abadie, Diamond & Hainmueller 2010): the pool's
patches are judged like every other one, each against the others, and what most of them
reach by season, rotation and noise is the null. Patches that did change are among them, so
only the middle of the scores is believed: beyond the median the tail is exponential, with
the mean excess that the scores between the median and the 90 % quantile have.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MIDDLE = 0.5
_UPPER = 0.9
_LEAST = 20
"""Fewer scores than this make no null."""


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    """Scores of the pool's patches, and the tail beyond their median."""

    ranked: NDArray[np.float64]
    """(m,), ascending, up to the median."""
    middle: float
    """The median."""
    excess: float
    """Mean excess over the median, of the exponential tail."""

    @classmethod
    def of(cls, scores: NDArray[np.floating]) -> "Null | None":
        """Fit the scores of the pool's patches; None where fewer than 20 are known."""
        known = np.sort(scores[np.isfinite(scores)].astype(np.float64))
        if len(known) < _LEAST:
            return None
        middle, upper = np.quantile(known, [_MIDDLE, _UPPER])
        # Of an exponential tail, ln((1 - 0.5) / (1 - 0.9)) mean excesses lie between.
        excess = (upper - middle) / np.log((1 - _MIDDLE) / (1 - _UPPER))
        return cls(known[known <= middle], float(middle), float(max(excess, 1e-9)))

    def p_value(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Chance (n,) that an unchanged patch scores at least as much; NaN stays NaN."""
        below = np.searchsorted(self.ranked, scores, side="left")
        body = 1.0 - (1.0 - _MIDDLE) * below / len(self.ranked)
        tail = (1.0 - _MIDDLE) * np.exp(-(scores - self.middle) / self.excess)
        p = np.where(scores > self.middle, tail, body)
        return np.where(np.isfinite(scores), p, np.nan)
