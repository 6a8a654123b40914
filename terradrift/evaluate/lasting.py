"""What stays unusual: a patch's score from its dates where one odd date should not count (pure).

A method that judges dates by their past says of every harvest that it is unusual. What lasts
is told by comparing all dates after a split with all before it, by their medians.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

_LEAST = 3
"""Scores that either side of a split must have."""
_FULL = 8
"""Scores after a split from which on a change has lasted."""


def lasting(
    scores: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The best split of each patch's dates.

    For every split: the median of scores from it on, less the median of those before it,
    times the root of min(1, scores after / 8).

    Args:
        scores: (n, t), in order of time, NaN where there is none.

    Returns:
        (n,) the largest of these, NaN where no split has 3 scores on either side, and (n,)
        the number of its first date, -1 where there is none.
    """
    n, t = scores.shape
    best = np.full(n, -np.inf)
    date = np.full(n, -1)
    known = np.isfinite(scores)
    before = np.cumsum(known, axis=1)
    for split in range(1, t):
        earlier = before[:, split - 1]
        later = before[:, -1] - earlier
        # A split at a date without a score is the split at the next one with.
        able = (earlier >= _LEAST) & (later >= _LEAST) & known[:, split]
        if not able.any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            rise = np.nanmedian(scores[able, split:], axis=1) - np.nanmedian(
                scores[able, :split], axis=1
            )
        value = rise * np.sqrt(np.minimum(1.0, later[able] / _FULL))
        rows = np.flatnonzero(able)
        better = value > best[rows]
        best[rows[better]], date[rows[better]] = value[better], split
    return np.where(date < 0, np.nan, best).astype(np.float32), date
