"""The two levels of regimes: what the ground is, and its path through time (pure).

The first level clusters the mean state of each patch over the calendar. The second
clusters, within each ground regime, the shape of its path: what is left of it when its own
mean state is taken off. A cluster is split only where that is supported.
"""

from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.features import components
from terradrift.detect.taxonomy.dtw import barycentre
from terradrift.detect.taxonomy.kmeans import flat
from terradrift.detect.taxonomy.paths import Calendar, Paths
from terradrift.detect.taxonomy.settings import Settings
from terradrift.detect.taxonomy.split import NONE, split
from terradrift.detect.taxonomy.ways import ByPoint, ByWarping, Way
from terradrift.threads import single_blas

GROUND, PATH = 1, 2


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
    """(s, r), mean path of its members; their barycentre where paths may be warped."""


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
    # What is loaded later is not limited, and its threads wait for each other for minutes.
    import_module("sklearn.cluster")
    with single_blas():
        return _fitted(paths.values[whole], calendar, settings, threads)


def _fitted(
    values: NDArray[np.float32], calendar: Calendar, settings: Settings, threads: int
) -> Taxonomy:
    least, band = settings.least(len(values)), settings.band(len(calendar))
    ground = split(
        ByPoint(components(values.mean(axis=1), settings.dimensions), settings.seed),
        settings,
        given=settings.regimes,
        most=settings.most_regimes,
        least=least,
        threads=threads,
    )
    notes = [f"one ground regime: {ground.reason}"] if ground.reason else []
    regimes = [
        _regime(NONE, GROUND, values[ground.label == k], ground.cohesion[k])
        for k in range(len(ground.cohesion))
    ]
    alone: dict[str, list[int]] = {}
    for parent in range(len(regimes)):
        members = values[ground.label == parent]
        shape = members - members.mean(axis=1, keepdims=True)
        way: Way = (
            ByPoint(flat(shape, settings.dimensions), settings.seed)
            if band is None
            else ByWarping(shape, band, settings.seed, threads)
        )
        found = split(
            way,
            settings,
            given=settings.paths,
            most=settings.most_paths,
            least=least,
            threads=threads,
        )
        if found.reason:
            alone.setdefault(found.reason, []).append(parent)
            continue
        regimes += [
            _regime(parent, PATH, members[found.label == k], found.cohesion[k], band)
            for k in range(len(found.cohesion))
        ]
    notes += [_alone(numbers, reason) for reason, numbers in alone.items()]
    numbered = tuple(replace(each, number=at) for at, each in enumerate(regimes))
    return Taxonomy(calendar, numbered, band, tuple(notes))


def _alone(numbers: list[int], reason: str) -> str:
    """The note on ground regimes that are not split, for the same reason."""
    *first, last = (str(number) for number in numbers)
    if not first:
        return f"regime {last} has one path: {reason}"
    return f"regimes {', '.join(first)} and {last} have one path each: {reason}"


def _regime(
    parent: int,
    level: int,
    members: NDArray[np.float32],
    cohesion: np.float32,
    band: int | None = None,
) -> Regime:
    path = members.mean(axis=0, dtype=np.float64).astype(np.float32)
    if band is not None:
        state = members.mean(axis=1, keepdims=True)
        shape = members - state
        middle = barycentre(shape, np.arange(len(shape)), shape.mean(axis=0), band)
        path = middle - middle.mean(axis=0) + state.mean(axis=0)
    return Regime(NONE, parent, level, len(members), float(cohesion), path)
