"""Patches that looked alike so far: k-means of their mean vectors, never with the future (pure).

The clusters are made anew when the number of dates has doubled, from what was seen before;
until the next time a patch stays where it is. So what a date is compared with does not
depend on later dates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.drift import unit

_FIRST = 2
"""Dates before the first clusters."""
_LEAST = 16
"""Patches per cluster, on average, at least."""
_ROUNDS = 50
_SAME = 1e-9
_ROWS = 128
"""Patches whose vectors are turned to single precision at a time."""


def epochs(dates: int) -> list[int]:
    """Numbers of the dates before which clusters are made: 2, 4, 8, ..."""
    found = []
    at = _FIRST
    while at < dates:
        found.append(at)
        at *= 2
    return found


@dataclass
class Means:
    """Mean direction of what `n` patches looked like so far."""

    vectors: NDArray[np.floating]
    """(n, t, d)"""
    clear: NDArray[np.bool_]
    """(n, t)"""

    def __post_init__(self) -> None:
        n, _, d = self.vectors.shape
        self._total = np.zeros((n, d))
        self._until = 0

    def before(self, at: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(n, d) of dates before number `at`, at length 1, and (n,) where anything was clear.

        Asked in order of time.
        """
        part = slice(self._until, max(at, self._until))
        for start in range(0, len(self._total), _ROWS):
            rows = slice(start, start + _ROWS)
            seen = self.clear[rows, part, None]
            turned = unit(np.where(seen, self.vectors[rows, part], 0))
            self._total[rows] += turned.sum(axis=1, dtype=np.float64)
        self._until = part.stop
        length = np.linalg.norm(self._total, axis=1)
        known = length > 0
        return self._total / np.where(known, length, 1)[:, None], known


def fit(means: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """(k, d) centres of means (m, d); k-means from seeds that lie far from one another.

    The seeds do not depend on the order of patches, and no chance is in it.
    """
    if not len(means):
        return np.zeros((0, means.shape[1]))
    seeds = _far_apart(means, min(most, max(1, len(means) // _LEAST)))
    if len(seeds) < 2:
        return seeds
    from sklearn.cluster import KMeans

    found = KMeans(
        n_clusters=len(seeds), init=seeds, n_init=1, max_iter=_ROUNDS, algorithm="lloyd"
    ).fit(means)
    return np.asarray(found.cluster_centers_)


def nearest(
    means: NDArray[np.float64], centres: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(n,) number of the centre nearest to each mean (n, d)."""
    squares = (centres**2).sum(axis=1) - 2 * means @ centres.T
    found: NDArray[np.int64] = squares.argmin(axis=1)
    return found


def _far_apart(means: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Up to `most` of the means: the one nearest to the middle, then always the farthest."""
    gap = ((means - means.mean(axis=0)) ** 2).sum(axis=1)
    chosen = [int(gap.argmin())]
    gap = ((means - means[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < most and gap.max() > _SAME:
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, ((means - means[chosen[-1]]) ** 2).sum(axis=1))
    return means[chosen]
