"""Rarity: how far a change stands from all changes of other events."""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.neighbours import knn


def rarity(
    points: NDArray[np.floating],
    event: NDArray[np.int64],
    peak_change: NDArray[np.int64],
    k: int = 10,
    *,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Rank changes by their mean distance to the `k` nearest other events.

    An event is represented by its strongest change, and a change is not compared with its
    own event: the patches of one building site are alike, and are no less rare for that.

    Args:
        points: (n, c), what changes are compared by: components of their deltas, at
            full length, since a faint change has the direction of its noise, which is
            always rare.
        event: (n,), 0 .. e - 1, the event of each change.
        peak_change: (e,), the change that represents each event.
        k: other events; all of them where there are fewer.
        threads: as in `neighbours.knn`.

    Returns:
        (n,), the share of changes that stand nearer to others, 0..1 (ties count half);
        0.5 on average. NaN where there is no other event.
    """
    others = min(k, len(peak_change) - 1)
    if others < 1:
        return np.full(len(points), np.nan, np.float32)
    from scipy.stats import rankdata

    distances, near = knn(points, points[peak_change], others + 1, threads=threads)
    own = near == event[:, None]
    # Without its own event where that is among the nearest, else without the farthest.
    own[~own.any(axis=1), -1] = True
    apart = distances[~own].reshape(len(points), others).mean(axis=1, dtype=np.float64)
    return np.asarray((rankdata(apart) - 0.5) / len(points), dtype=np.float32)
