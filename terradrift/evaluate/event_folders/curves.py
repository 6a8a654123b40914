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
class Curves:
    """Shares of each event's image at or above each threshold, from the highest down."""

    hits: NDArray[np.float64]
    """(level, event), anomalous."""
    rest: NDArray[np.float64]
    """(level, event), not anomalous."""

    @classmethod
    def of(
        cls,
        truths: Sequence[NDArray[np.bool_]],
        scores: Sequence[NDArray[np.floating]],
    ) -> "Curves":
        """Of the known pixels (k,) of each event; NaN ranks last.

        Thresholds are all values that occur, or quantiles over events of equal weight where
        these are too many.
        """
        ranked = [np.where(np.isnan(score), -np.inf, score) for score in scores]
        levels = _levels(ranked)
        hits, rest = (np.zeros((len(levels), len(scores))) for _ in range(2))
        for event, (truth, score) in enumerate(zip(truths, ranked, strict=True)):
            # The first threshold, from the highest, that the score reaches.
            at = len(levels) - np.searchsorted(levels, score, side="right")
            for out, part in ((hits, truth), (rest, ~truth)):
                count = np.bincount(at[part], minlength=len(levels))
                out[:, event] = np.cumsum(count) / len(score)
        return cls(hits, rest)

    def precision(
        self, recall: float, times: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(r,) precision where `recall` of what is anomalous is found, in each draw.

        Recall is the mean of the events', so a large anomaly counts no more than a small
        one. `times` (event, r) is how often each event is drawn. NaN without an anomaly.
        """
        total = self.hits[-1]
        able = total > 0
        own = np.divide(self.hits, total, out=np.zeros_like(self.hits), where=able)
        drawn = able @ times
        found = np.divide(
            own @ times,
            drawn,
            out=np.zeros((len(own), times.shape[1])),
            where=drawn > 0,
        )
        at = np.argmax(found >= recall - 1e-12, axis=0)
        hits, seen = self.hits @ times, (self.hits + self.rest) @ times
        column = np.arange(times.shape[1])
        precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
        reached = (drawn > 0) & (found[-1] >= recall - 1e-12)
        return np.where(reached, precision[at, column], np.nan)


def _levels(scores: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """(level,) thresholds, ascending."""
    values = [np.unique(score) for score in scores]
    every = np.unique(np.concatenate(values)) if values else np.zeros(0)
    if len(every) <= _LEVELS:
        return every.astype(np.float64)
    share = np.linspace(0, 1, max(2, _LEVELS // len(scores)))
    parts = [
        np.sort(score)[np.floor(share * (len(score) - 1)).astype(np.intp)]
        for score in scores
    ]
    return np.unique(np.concatenate(parts)).astype(np.float64)
