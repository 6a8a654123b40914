"""The two levels of regimes: what the ground is, and its path through time (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.paths import Calendar

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
    nearest: NDArray[np.int64]
    """(k,), rows of the sample whose paths are nearest to `path`, nearest first."""


@dataclass(frozen=True, slots=True, eq=False)
class Taxonomy:
    """Regimes as they were found on a sample; what assigns patches to them is all here."""

    calendar: Calendar
    regimes: tuple[Regime, ...]
    """By number: `regimes[i].number == i`."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """Which regimes `n` patches are of."""

    ground: NDArray[np.int32]
    """(n,), number of the ground regime, -1 where it cannot be told."""
    regime: NDArray[np.int32]
    """(n,), number of the leaf, -1 where it cannot be told."""
    distance: NDArray[np.float32]
    """(n,), root mean square over known steps of the distance to the leaf's path; NaN."""
    margin: NDArray[np.float32]
    """(n,), -1..1: how much nearer the leaf is than the nearest other leaf, as a share of
    the larger of the two distances; below 0 where another is nearer. NaN where not told."""
    reason: NDArray[np.str_]
    """(n,), why a patch is not or only roughly placed; empty where it is."""
