"""Precision over recall of several events under one threshold (pure).

Every event weighs the same, whatever its size: its pixels count as shares of its image. A
draw of events with replacement only changes how often each is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEVELS = 2048
"""Thresholds at most; maps of regions have fewer values than that, or nearly."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """How the known pixels of one event spread over values of a score."""

    values: NDArray[np.float64]
    """(k,), ascending, each once; all that occur, or as many quantiles of them."""
    hits: NDArray[np.float64]
    """(k,), share of the pixels that is anomalous, from each value up to the next."""
    rest: NDArray[np.float64]
    """(k,), the same of those that are not."""

    @classmethod
    def of(cls, truth: NDArray[np.bool_], score: NDArray[np.floating]) -> "Steps":
        """Of known pixels (n,), at least one; a score that is NaN ranks last."""
        ranked = np.where(np.isnan(score), -np.inf, score).astype(np.float64)
        values = np.unique(ranked)
        if len(values) > _LEVELS:
            share = np.linspace(0, 1, _LEVELS)
            place = np.floor(share * (len(ranked) - 1)).astype(np.intp)
            values = np.unique(np.sort(ranked)[place])
        at = np.searchsorted(values, ranked, side="right") - 1
        hits, rest = (
            np.bincount(at[part], minlength=len(values)) / len(ranked)
            for part in (truth, ~truth)
        )
        return cls(values, hits, rest)


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Shares of each event's image at or above each threshold, from the highest down."""

    hits: NDArray[np.float64]
    """(level, event), anomalous."""
    rest: NDArray[np.float64]
    """(level, event), not anomalous."""

    @classmethod
    def of(cls, steps: Sequence[Steps]) -> "Curves":
        """Of one or more events, with one set of thresholds."""
        levels = np.unique(np.concatenate([each.values for each in steps]))
        if len(levels) > _LEVELS:
            keep = np.round(np.linspace(0, len(levels) - 1, _LEVELS)).astype(np.intp)
            levels = levels[keep]
        hits, rest = (np.zeros((len(levels), len(steps))) for _ in range(2))
        for event, each in enumerate(steps):
            # The first threshold, from the highest, that the value reaches.
            at = len(levels) - np.searchsorted(levels, each.values, side="right")
            for out, part in ((hits, each.hits), (rest, each.rest)):
                out[:, event] = np.cumsum(np.bincount(at, part, minlength=len(levels)))
        return cls(hits, rest)

    def precision(
        self, recall: float, times: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(r,) precision where `recall` of what is anomalous is found, in each draw.

        Recall is the mean of the events', so a large anomaly counts no more than a small
        one. `times` (event, r) is how often each event is drawn. NaN where nothing drawn is
        anomalous.
        """
        total = self.hits[-1]
        able = (total > 0).astype(np.float64)
        own = np.divide(self.hits, total, out=np.zeros_like(self.hits), where=total > 0)
        drawn = able @ times
        enough = own @ times >= (recall - 1e-9) * drawn
        at, column = np.argmax(enough, axis=0), np.arange(times.shape[1])
        hits = (self.hits @ times)[at, column]
        seen = hits + (self.rest @ times)[at, column]
        known = (drawn > 0) & (seen > 0)
        found = np.full(len(hits), np.nan)
        np.divide(hits, seen, out=found, where=known)
        return found
