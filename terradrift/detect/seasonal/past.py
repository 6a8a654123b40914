"""Earlier scores of the pool, sorted, to rank a new one among (pure)."""

import numpy as np
from numpy.typing import NDArray


class Past:
    """Spatial scores of the pool on the dates before one, by cluster; goes forward only."""

    def __init__(self, clusters: int, least: int) -> None:
        self._sorted = [np.zeros(0, np.float32) for _ in range(clusters + 1)]
        self._least = least
        self._until = 0
        self._labels: NDArray[np.int64] | None = None

    def go(
        self, scores: NDArray[np.float32], labels: NDArray[np.int64], until: int
    ) -> None:
        """Know the scores (m, t) of the dates before number `until`.

        `labels` (m,) are the patches' clusters; where they are others than the last time,
        all earlier scores move along.
        """
        first = self._until if labels is self._labels else 0
        for number in range(len(self._sorted)):
            new = scores[labels == number, first:until]
            new = new[np.isfinite(new)]
            if first == 0:
                self._sorted[number] = np.sort(new)
            elif len(new):
                both = np.concatenate([self._sorted[number], new])
                both.sort(kind="stable")  # linear, as nearly all is in order
                self._sorted[number] = both
        self._until, self._labels = until, labels

    def p_value(
        self, scores: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """(m,) share of earlier scores of the cluster at least as large, the score included.

        Of all clusters where the own one has too few; NaN where all together have.
        """
        out = np.full(len(scores), np.nan, np.float32)
        everything: NDArray[np.float32] | None = None
        for number in np.unique(labels):
            among = self._sorted[number]
            if len(among) < self._least:
                if everything is None:
                    everything = np.sort(np.concatenate(self._sorted))
                among = everything
            rows = np.flatnonzero((labels == number) & np.isfinite(scores))
            if len(among) < self._least:
                continue
            above = len(among) - np.searchsorted(among, scores[rows], "left")
            out[rows] = (1 + above) / (1 + len(among))
        return out
