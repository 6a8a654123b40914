"""How many clusters there are, and whether there are any (pure).

The mean silhouette (Rousseeuw 1987) of k-means is compared with that of k-means on points
without structure: one Gaussian of the same covariance. What is gained over it is the
support of `k`, in the manner of the gap statistic (Tibshirani, Walther and Hastie 2001),
and the `k` of most support is taken.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.kmeans import kmeans

MEASURED = 2048
"""Points that a silhouette is measured on at most."""
_FITTED = 8192
"""Points that the numbers of clusters are compared on at most."""
_RESTARTS = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """A number of clusters, and what speaks for it."""

    k: int
    silhouette: float
    """Mean over points, -1..1; NaN of one cluster."""
    support: float
    """The silhouette less that of points without structure; NaN of one cluster."""


def silhouettes(
    points: NDArray[np.floating], label: NDArray[np.integer]
) -> NDArray[np.float32]:
    """(n,) how much nearer each of the points (n, d) is to its cluster than to the next.

    On at most `MEASURED` points, evenly by row; NaN of the others, and of all where there
    is one cluster. Labels below 0 are of no cluster.
    """
    from sklearn.metrics import silhouette_samples

    found = np.full(len(points), np.nan, np.float32)
    rows = np.flatnonzero(label >= 0)
    rows = rows[evenly(len(rows), MEASURED)]
    if not 2 <= len(np.unique(label[rows])) < len(rows):
        return found
    found[rows] = silhouette_samples(points[rows].astype(np.float32), label[rows])
    return found


def choices(points: NDArray[np.floating], most: int, *, seed: int = 0) -> list[Choice]:
    """What speaks for 2 to `most` clusters of points (n, d).

    None where there are fewer than 8 points or all are equal.
    """
    rows = points[evenly(len(points), _FITTED)].astype(np.float32)
    if len(rows) < 8 or not np.ptp(rows, axis=0).any():
        return []
    plain = structureless(rows, seed)
    found = []
    for k in range(2, min(most, len(rows) // 4) + 1):
        told, by_chance = (
            mean(silhouettes(each, kmeans(each, k, seed=seed, restarts=_RESTARTS)))
            for each in (rows, plain)
        )
        found.append(Choice(k, told, told - by_chance))
    return found


def of_distances(
    apart: NDArray[np.floating], label: NDArray[np.integer]
) -> NDArray[np.float32]:
    """(n,) silhouettes by distances (n, n); NaN where there is one cluster."""
    from sklearn.metrics import silhouette_samples

    if not 2 <= len(np.unique(label)) < len(label):
        return np.full(len(label), np.nan, np.float32)
    found = silhouette_samples(apart, label, metric="precomputed")
    return np.asarray(found, np.float32)


def mean(silhouettes: NDArray[np.floating]) -> float:
    """Mean of those that were measured, -1..1; NaN where there is one cluster."""
    known = np.isfinite(silhouettes)
    return float(silhouettes[known].mean()) if known.any() else float("nan")


def structureless(points: NDArray[np.floating], seed: int) -> NDArray[np.float32]:
    """As many points (n, d) of one Gaussian with the mean and covariance of the given."""
    centered = points - points.mean(axis=0)
    random = np.random.default_rng(seed)
    _, scale, axes = np.linalg.svd(centered, full_matrices=False)
    drawn = random.standard_normal((len(points), len(scale)))
    mixed = (drawn * (scale / np.sqrt(len(points)))) @ axes
    return np.asarray(mixed + points.mean(axis=0), np.float32)


def evenly(n: int, most: int) -> NDArray[np.int64]:
    """At most `most` rows of `n`, evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
