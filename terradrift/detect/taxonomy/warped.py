"""k-means of paths by warped distances, with barycentres (pure).

Seeds are drawn as in k-means++ (Arthur and Vassilvitskii 2007), by warped distances, a few
at a time and the best kept; of several beginnings the clusters with the least inertia stay.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.dtw import SWEEPS, barycentre, squared_distances
from terradrift.detect.taxonomy.kmeans import flat, kmeans

ROUNDS = 10
STARTS = 2
_DRAWN = 3
_COMPONENTS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Warped:
    """Clusters of `n` paths."""

    label: NDArray[np.int64]
    """(n,), 0 .. k - 1."""
    centroids: NDArray[np.float32]
    """(k, s, d), barycentres."""
    inertia: float
    """Sum over paths of the squared distance to the nearest barycentre."""
    rounds: int


def best(
    paths: NDArray[np.floating],
    k: int,
    band: int,
    *,
    seed: int = 0,
    starts: int = STARTS,
    threads: int = 1,
) -> Warped:
    """The best `k` clusters of paths (n, s, d): from those step by step, and from seeds.

    Where warping moves no path to another cluster, those step by step are it. There are
    fewer than `k` where paths are equal.
    """
    by_step = kmeans(flat(paths, _COMPONENTS), k, seed=seed)
    found = [cluster(paths, by_step, band, threads=threads)]
    if np.array_equal(found[0].label, by_step):
        return found[0]
    for at in range(starts):
        random = np.random.default_rng([seed, at])
        start = seeded(paths, k, band, random, threads=threads)
        found.append(cluster(paths, start, band, threads=threads))
    return min(found, key=lambda each: each.inertia)


def seeded(
    paths: NDArray[np.floating],
    k: int,
    band: int,
    random: np.random.Generator,
    *,
    threads: int = 1,
) -> NDArray[np.int64]:
    """Label of each path (n,): the nearest of up to `k` of them, which lie far apart."""
    rows = np.ascontiguousarray(paths, np.float32)
    at = random.integers(len(rows), size=1)
    near = squared_distances(rows, rows[at], band, threads=threads)[:, 0].astype(float)
    label = np.zeros(len(rows), np.int64)
    for number in range(1, k):
        if not near.any():
            break
        drawn = random.choice(len(rows), _DRAWN, p=near / near.sum())
        apart = squared_distances(rows, rows[drawn], band, threads=threads)
        left = np.minimum(apart, near[:, None])
        one = int(left.sum(axis=0, dtype=np.float64).argmin())
        label[apart[:, one] < near] = number
        near = left[:, one].astype(float)
    return _numbered(label)


def cluster(
    paths: NDArray[np.floating],
    start: NDArray[np.integer],
    band: int,
    *,
    rounds: int = ROUNDS,
    sweeps: int = SWEEPS,
    threads: int = 1,
) -> Warped:
    """k-means of paths (n, s, d) by warped distances, from the clusters `start` (n,) on.

    Args:
        paths: finite.
        start: labels 0 .. k - 1, such as those of k-means step by step; each is used.
        band: as of `dtw.squared_distances`.
        rounds: at most, 1 or more; fewer where no label changes.
        sweeps: of averaging in each round, at most.
        threads: that share the paths.
    """
    rows = np.ascontiguousarray(paths, np.float32)
    label = np.asarray(start, np.int64)
    k = int(label.max()) + 1
    middles = np.stack([rows[label == at].mean(axis=0) for at in range(k)])
    inertia, done = float("nan"), 0
    while done < rounds:
        done += 1
        middles = np.stack(
            [
                barycentre(
                    rows,
                    np.flatnonzero(label == at),
                    middles[at],
                    band,
                    sweeps=sweeps,
                    threads=threads,
                )
                for at in range(k)
            ]
        )
        apart = squared_distances(rows, middles, band, threads=threads)
        before, label = label, apart.argmin(axis=1)
        inertia = float(apart.min(axis=1).sum(dtype=np.float64))
        if np.array_equal(before, label):
            break
    return Warped(label, middles, inertia, done)


def _numbered(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels from 0 without gaps, in their order."""
    return np.asarray(np.unique(label, return_inverse=True)[1], np.int64)
