"""What parting at one level is by: points, or paths that may run early or late (pure)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy import choose, warped
from terradrift.detect.taxonomy.choose import Choice
from terradrift.detect.taxonomy.dtw import squared_distances
from terradrift.detect.taxonomy.kmeans import kmeans

_MEASURED = 512
"""Paths that a silhouette is measured on at most; all pairs of them are warped."""
_FITTED = 1024


class Way(Protocol):
    """A way of parting `n` patches."""

    def __len__(self) -> int:
        """Patches."""

    def choices(self, most: int) -> list[Choice]:
        """What speaks for each number of clusters from 2 to `most`."""

    def cluster(self, k: int) -> NDArray[np.int64]:
        """Label of each patch (n,), of `k` clusters."""

    def silhouettes(self, label: NDArray[np.integer]) -> NDArray[np.float32]:
        """(n,), -1..1, of a sample; NaN of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class ByPoint:
    """Euclidean distances of points."""

    points: NDArray[np.float32]
    """(n, d)"""
    seed: int = 0

    def __len__(self) -> int:
        return len(self.points)

    def choices(self, most: int) -> list[Choice]:
        """As of `Way`."""
        return choose.choices(self.points, most, seed=self.seed)

    def cluster(self, k: int) -> NDArray[np.int64]:
        """As of `Way`."""
        return kmeans(self.points, k, seed=self.seed)

    def silhouettes(self, label: NDArray[np.integer]) -> NDArray[np.float32]:
        """As of `Way`."""
        return choose.silhouettes(self.points, label)


@dataclass(frozen=True, slots=True, eq=False)
class ByWarping:
    """Warped distances of paths."""

    paths: NDArray[np.float32]
    """(n, s, d)"""
    band: int
    seed: int = 0
    threads: int = 1

    def __len__(self) -> int:
        return len(self.paths)

    def choices(self, most: int) -> list[Choice]:
        """As of `Way`; paths without structure have the covariance of whole paths."""
        rows = self.paths[choose.evenly(len(self.paths), _FITTED)]
        if len(rows) < 8 or not np.ptp(rows, axis=0).any():
            return []
        plain = choose.structureless(rows.reshape(len(rows), -1), self.seed)
        both = (self._of(rows), self._of(plain.reshape(rows.shape)))
        measures = [each.measure() for each in both]
        found = []
        for k in range(2, min(most, len(rows) // 4) + 1):
            told, by_chance = (
                choose.mean(measure(each.once(k)))
                for each, measure in zip(both, measures, strict=True)
            )
            found.append(Choice(k, told, told - by_chance))
        return found

    def cluster(self, k: int) -> NDArray[np.int64]:
        """As of `Way`."""
        return warped.best(
            self.paths, k, self.band, seed=self.seed, threads=self.threads
        ).label

    def silhouettes(self, label: NDArray[np.integer]) -> NDArray[np.float32]:
        """As of `Way`."""
        return self.measure()(label)

    def _of(self, rows: NDArray[np.float32]) -> "ByWarping":
        return ByWarping(rows, self.band, self.seed, self.threads)

    def once(self, k: int) -> NDArray[np.int64]:
        """Clusters from one beginning, which is enough to compare numbers."""
        random = np.random.default_rng([self.seed, k])
        start = warped.seeded(self.paths, k, self.band, random, threads=self.threads)
        return warped.cluster(
            self.paths, start, self.band, rounds=3, threads=self.threads
        ).label

    def measure(self) -> Callable[[NDArray[np.integer]], NDArray[np.float32]]:
        """Silhouettes by label, from distances that are taken once."""
        rows = choose.evenly(len(self.paths), _MEASURED)
        square = squared_distances(
            self.paths[rows], self.paths[rows], self.band, threads=self.threads
        )
        apart = np.sqrt((square + square.T) / 2)
        np.fill_diagonal(apart, 0)

        def told(label: NDArray[np.integer]) -> NDArray[np.float32]:
            found = np.full(len(self.paths), np.nan, np.float32)
            found[rows] = choose.of_distances(apart, label[rows])
            return found

        return told
