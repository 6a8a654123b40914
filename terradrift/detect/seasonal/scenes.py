"""What the pool tells of every date: clusters, their usual scores, and each scene's shift."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import calibrate
from terradrift.detect.seasonal import clusters
from terradrift.detect.seasonal.settings import Settings
from terradrift.detect.seasonal.temporal import Temporal

LEAST_SHARED = 20
"""Left-out scores of a cluster that calibrate its patches."""
_LEAST_SPREADS = 5
"""Earlier scenes that tell how far z usually scatters."""
_EPSILON = 1e-6


@dataclass
class Scenes:
    """Filled date by date from the pool's patches, then only read."""

    days: NDArray[np.datetime64]
    """(t,), all days of the archive, ascending."""
    settings: Settings
    patches: int
    """In the pool."""
    codes: int
    """Scenes are numbered below this."""
    centres: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    """By the number of the date from which they hold."""
    labels: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    """(m,) clusters of the pool's patches, likewise."""

    def __post_init__(self) -> None:
        k = self.settings.clusters
        self.usual = np.full((len(self.days), k + 1, 2), np.nan)
        """(t, k + 1, 2), median and spread of left-out scores; the last cluster are all."""
        self.shift = np.full(self.codes + 1, np.nan)
        """(codes + 1,), median z of a scene; the last one of those not in the pool."""
        self.wider = np.ones(self.codes + 1)
        """(codes + 1,), how much wider z scatters there than it did; 1 or more."""
        self.spatial = np.full((self.patches, len(self.days)), np.nan, np.float32)
        """(m, t), spatial scores of the pool."""
        self.epochs = [0, *clusters.epochs(len(self.days))]
        self._spreads: list[float] = []

    def epoch(self, column: int) -> int:
        """The date from which the clusters of date `column` hold."""
        return max(epoch for epoch in self.epochs if epoch <= column)

    def cluster(
        self, means: clusters.Means, at: int, epoch: int, *, learn: bool
    ) -> NDArray[np.int64]:
        """(n,) cluster of each patch by what it looked like before its date `at`."""
        before, known = means.before(at)
        if learn:
            most = self.settings.clusters
            self.centres[epoch] = clusters.fit(before[known], most)
        centres = self.centres[epoch]
        labels = np.full(len(before), self.settings.clusters)
        if len(centres):
            labels[known] = clusters.nearest(before[known], centres)
        if learn:
            self.labels[epoch] = labels
        return labels

    def learn_usual(
        self, column: int, found: Temporal, labels: NDArray[np.int64]
    ) -> None:
        """Median and spread of each cluster's left-out scores of a date."""
        for number in range(self.settings.clusters + 1):
            everyone = number == self.settings.clusters
            mine = found.left_out if everyone else found.left_out[labels == number]
            values = mine[np.isfinite(mine)][None]
            if values.size >= LEAST_SHARED:
                valid = np.ones(values.shape, bool)
                middle, spread = calibrate.median_and_spread(values, valid)
                self.usual[column, number] = middle[0], spread[0]

    def z(
        self, column: int, found: Temporal, labels: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(m,) scores in robust standard deviations of left-out ones; NaN: too few."""
        valid = np.isfinite(found.left_out)
        known = np.where(valid, found.left_out, np.float32(0))
        middle, spread = calibrate.median_and_spread(known, valid)
        few = valid.sum(axis=1) < self.settings.min_reference
        usual = self.usual[column]
        shared = usual[labels]
        shared = np.where(np.isnan(shared), usual[-1], shared)
        middle = np.where(few, shared[:, 0], middle)
        spread = np.where(few, shared[:, 1], spread)
        floor = self.settings.floor * middle + _EPSILON
        z: NDArray[np.float64] = (found.score - middle) / (spread + floor)
        return z

    def learn_shift(self, z: NDArray[np.float64], codes: NDArray[np.int64]) -> None:
        """Median of z, and how wide it scatters, of each scene of a date."""
        spreads = []
        usual = (
            float(np.median(self._spreads))
            if len(self._spreads) >= _LEAST_SPREADS
            else np.inf
        )
        for code in np.unique(codes[codes >= 0]):
            values = z[(codes == code) & np.isfinite(z)][None]
            if values.size < self.settings.min_scene:
                continue
            middle, spread = calibrate.median_and_spread(
                values, np.ones(values.shape, bool)
            )
            self.shift[code] = middle[0]
            if self.settings.scale:
                self.wider[code] = max(1.0, spread[0] / max(usual, _EPSILON))
            spreads.append(float(spread[0]))
        self._spreads += spreads

    def less_scene(
        self, z: NDArray[np.float64], codes: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """(m,) z less the scene's median; NaN where the scene is not known."""
        known = (codes >= 0) & (codes < self.codes)
        at = np.where(known, codes, -1)  # the last one is unknown for good
        apart: NDArray[np.float64] = (z - self.shift[at]) / self.wider[at]
        return apart.astype(np.float32)
