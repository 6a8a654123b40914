"""Date after date through the histories of patches: the whole method (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from terradrift.detect import gram, onset
from terradrift.detect.seasonal import clusters, temporal
from terradrift.detect.seasonal.past import Past
from terradrift.detect.seasonal.scenes import Scenes
from terradrift.detect.seasonal.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Histories of `n` patches on `t` days."""

    days: NDArray[np.datetime64]
    """(t,), datetime64[D], ascending, each once."""
    vectors: NDArray[np.floating]
    """(n, t, d), float16 or float32; not read where not clear."""
    clear: NDArray[np.bool_]
    """(n, t)"""
    scene: NDArray[np.int64]
    """(n, t), number of the scene of each observation, -1 where it is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What is said of `n` patches on `t` days; NaN is null, and `reasons` says why."""

    score: NDArray[np.float32]
    """(n, t), cosine distance to the reference, 0..2."""
    z: NDArray[np.float32]
    """(n, t), in robust standard deviations of left-out scores."""
    spatial: NDArray[np.float32]
    """(n, t), z less the median of its scene, and over how much wider the scene scatters."""
    p_value: NDArray[np.float32]
    """(n, t), 0..1, rank of the spatial score among earlier ones of the cluster."""
    cusum: NDArray[np.float32]
    """(n, t), max(0, previous + evidence - slack), passing over missing dates."""
    count: NDArray[np.int32]
    """(n, t), members of the reference."""
    first: NDArray[np.int64]
    """(n, t), number of the date of its oldest member, -1 without one."""
    last: NDArray[np.int64]
    """(n, t), of its newest one."""
    season: NDArray[np.bool_]
    """(n, t), whether they are of the same season in earlier years, or the last dates."""

    def persistent(self, settings: Settings) -> NDArray[np.bool_]:
        """(n, t), whether CUSUM is above its limit."""
        return np.asarray(np.nan_to_num(self.cusum) > settings.limit)

    def reasons(self, clear: NDArray[np.bool_]) -> NDArray[np.str_]:
        """(n, t), why the first null of score, z, spatial score and p-value is one."""
        out = np.full(clear.shape, "not clear enough", "U40")
        out[clear] = ""
        for values, words in (
            (self.p_value, "too few earlier scores to rank among"),
            (self.spatial, "too few patches in the scene"),
            (self.z, "too few left-out scores"),
            (self.score, "no earlier observation"),
        ):
            out[clear & np.isnan(values)] = words
        return out


def learn(patches: Patches, settings: Settings) -> Scenes:
    """What the pool's patches, over all days of the archive, tell of every date."""
    codes = int(patches.scene.max(initial=-1)) + 1
    scenes = Scenes(patches.days, settings, len(patches.clear), codes)
    _walk(patches, scenes, settings, learning=True)
    return scenes


def judge(patches: Patches, scenes: Scenes, settings: Settings) -> Judged:
    """Judge patches by their own past and by what `learn` knows of every date."""
    return _walk(patches, scenes, settings, learning=False)


def _walk(
    patches: Patches, scenes: Scenes, settings: Settings, *, learning: bool
) -> Judged:
    clear, days = patches.clear, patches.days
    n, t = clear.shape
    score, z, spatial, p_value = (np.full((n, t), np.nan, np.float32) for _ in range(4))
    count = np.zeros((n, t), np.int32)
    first, last = (np.full((n, t), -1) for _ in range(2))
    season = np.zeros((n, t), bool)
    cosines = gram.cosines(patches.vectors, clear)
    columns = np.searchsorted(scenes.days, days)
    means = clusters.Means(patches.vectors, clear)
    past = Past(settings.clusters, settings.min_past)
    epoch, labels = -1, np.zeros(0, np.int64)
    for at, column in enumerate(columns.tolist()):
        if scenes.epoch(column) != epoch:
            epoch = scenes.epoch(column)
            labels = scenes.cluster(means, at, epoch, learn=learning)
        rows = np.flatnonzero(clear[:, at])
        if not len(rows):
            continue
        found = temporal.judge(cosines, days, clear, rows, at, settings=settings)
        mine, codes = labels[rows], patches.scene[rows, at]
        if learning:
            scenes.learn_usual(column, found, mine)
        standard = scenes.z(column, found, mine)
        if learning:
            scenes.learn_shift(standard, codes)
        apart = scenes.less_scene(standard, codes)
        past.go(scenes.spatial, scenes.labels[epoch], column)
        score[rows, at], z[rows, at] = found.score, standard
        spatial[rows, at] = apart
        p_value[rows, at] = past.p_value(apart, mine)
        count[rows, at] = found.count
        first[rows, at], last[rows, at] = found.first, found.last
        season[rows, at] = found.season
        if learning:
            scenes.spatial[rows, column] = apart
    evidence = ndtri(1 - p_value) if settings.evidence == "rank" else spatial
    counted = np.clip(evidence, -settings.loudest, settings.loudest)
    cusum = onset.cusum(counted, settings.slack)
    return Judged(score, z, spatial, p_value, cusum, count, first, last, season)
