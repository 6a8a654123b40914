"""The two levels of regimes: what the ground is, and its path through time (pure).

The first level clusters the mean state of each patch over the calendar. The second
clusters, within each ground regime, the shape of its path: what is left of it when its own
mean state is taken off. A cluster is split only where that is supported.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.features import components
from terradrift.detect.taxonomy.choose import (
    Choice,
    choose,
    mean_silhouette,
    silhouettes,
)
from terradrift.detect.taxonomy.dense import dense
from terradrift.detect.taxonomy.kmeans import flat, kmeans
from terradrift.detect.taxonomy.paths import Calendar, Paths
from terradrift.detect.taxonomy.settings import Settings

GROUND, PATH = 1, 2
NONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Regime:
    """One cluster of the tree; a leaf is one that has no children."""

    number: int
    """From 0, the same whatever the order of patches: ground regimes first."""
    parent: int
    """The ground regime that a path regime is of; -1 of a ground regime."""
    level: int
    """1: ground, 2: path."""
    size: int
    """Patches of the sample."""
    cohesion: float
    """Mean silhouette of its members among its siblings, -1..1; NaN where it has none."""
    path: NDArray[np.float32]
    """(s, r), mean path of its members."""


@dataclass(frozen=True, slots=True, eq=False)
class Taxonomy:
    """Regimes as they were found on a sample; what assigns patches to them is all here."""

    calendar: Calendar
    regimes: tuple[Regime, ...]
    """By number: `regimes[i].number == i`."""
    band: int | None = None
    """Steps that a path may run early or late; None: paths are compared step by step."""
    notes: tuple[str, ...] = ()
    """What a user should know: which regimes were not split, and why."""

    @property
    def leaves(self) -> tuple[Regime, ...]:
        """Regimes that have no children, by number."""
        parents = {regime.parent for regime in self.regimes}
        return tuple(each for each in self.regimes if each.number not in parents)

    @property
    def ground(self) -> tuple[Regime, ...]:
        """Ground regimes, by number."""
        return tuple(each for each in self.regimes if each.level == GROUND)

    def children(self, number: int) -> tuple[Regime, ...]:
        """Path regimes of a ground regime, by number; none where it was not split."""
        return tuple(each for each in self.regimes if each.parent == number)


def fit(
    paths: Paths, calendar: Calendar, settings: Settings, *, threads: int = 1
) -> Taxonomy:
    """Find the regimes of a sample of patches; those not known at every step take no part.

    The result does not depend on the order of patches: they are taken by `patch_ids`.

    Raises:
        ValueError: fewer than two patches are known at every step.
    """
    whole = np.flatnonzero(paths.whole)
    if len(whole) < 2:
        raise ValueError(
            f"regimes take patches that are known at all {len(calendar)} steps, "
            f"{len(whole)} of {len(paths)} are"
        )
    whole = whole[np.argsort(paths.patch_ids[whole], kind="stable")]
    values = paths.values[whole]
    split = _Split(settings, len(values), threads)
    state = values.mean(axis=1)
    ground, cohesion, said = split.into(
        components(state, settings.dimensions), settings.regimes, settings.most_regimes
    )
    notes = [f"one ground regime: {said}"] if said else []
    regimes = [
        _regime(NONE, GROUND, values[ground == k], cohesion[k])
        for k in range(len(cohesion))
    ]
    for parent in range(len(cohesion)):
        members = values[ground == parent]
        shape = members - members.mean(axis=1, keepdims=True)
        label, cohesion_, said = split.into(
            flat(shape, settings.dimensions), settings.paths, settings.most_paths
        )
        if said:
            notes.append(f"regime {parent} has one path: {said}")
            continue
        regimes += [
            _regime(parent, PATH, members[label == k], cohesion_[k])
            for k in range(len(cohesion_))
        ]
    numbered = tuple(replace(each, number=at) for at, each in enumerate(regimes))
    return Taxonomy(calendar, numbered, None, tuple(notes))


def _regime(
    parent: int, level: int, members: NDArray[np.float32], cohesion: float
) -> Regime:
    path = members.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Regime(NONE, parent, level, len(members), cohesion, path)


@dataclass(frozen=True, slots=True)
class _Split:
    """How points are parted at either level."""

    settings: Settings
    patches: int
    """Of the whole sample."""
    threads: int

    def into(
        self, points: NDArray[np.float32], given: int | None, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], str]:
        """Label of each of the points, cohesion of each cluster, and why there is one.

        Clusters are numbered by size, the largest first, then by their first point.
        """
        least = self.settings.least(self.patches)
        if given == 1:
            return _one(len(points), "one was asked for")
        if len(points) < 2 * least and given is None:
            return _one(
                len(points), f"{len(points)} patches, and a cluster takes {least}"
            )
        if self.settings.method == "hdbscan":
            label = dense(points, least, threads=self.threads)
            support = Choice(int(label.max()) + 1, 0.0, 0.0)
        elif given is not None:
            support = Choice(min(given, len(points)), 0.0, 0.0)
            label = kmeans(points, support.k, seed=self.settings.seed)
        else:
            support = choose(points, most, seed=self.settings.seed)
            label = kmeans(points, support.k, seed=self.settings.seed)
            if said := self._unsupported(points, label, support, least):
                return _one(len(points), said)
        if label.max() < 1:
            return _one(len(points), "nothing parts the patches")
        label = _by_size(label)
        return label, _cohesion(points, label), ""

    def _unsupported(
        self,
        points: NDArray[np.float32],
        label: NDArray[np.int64],
        choice: Choice,
        least: int,
    ) -> str:
        """Why the clusters are not to be told apart; empty where they are."""
        rules = self.settings
        told = mean_silhouette(points, label)
        if not told >= rules.min_silhouette:
            return f"the silhouette of {choice.k} is {told:.2f}, below {rules.min_silhouette:g}"
        if not choice.support >= rules.min_support:
            return (
                f"the silhouette of {choice.k} is {choice.support:.2f} above that of points "
                f"without structure, and {rules.min_support:g} is asked for"
            )
        if (smallest := int(np.bincount(label).min())) < least:
            return f"the smallest of {choice.k} has {smallest} patches, below {least}"
        return ""


def _one(n: int, said: str) -> tuple[NDArray[np.int64], NDArray[np.float32], str]:
    return np.zeros(n, np.int64), np.full(1, np.nan, np.float32), said


def _by_size(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels from 0 by size, the largest first, then by first row; -1 stays."""
    inside = label[label >= 0]
    known, first, size = np.unique(inside, return_index=True, return_counts=True)
    order = np.lexsort((first, -size))
    number = np.full(int(known.max()) + 1, -1, np.int64)
    number[known[order]] = np.arange(len(known))
    return np.where(label >= 0, number[label], -1)


def _cohesion(
    points: NDArray[np.float32], label: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(k,) mean silhouette of each cluster; NaN where none of its points was measured."""
    found = silhouettes(points, label)
    measured = np.isfinite(found)
    count = np.bincount(label[measured], minlength=int(label.max()) + 1)
    total = np.bincount(label[measured], found[measured], minlength=len(count))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(count, count, np.nan), np.float32)
