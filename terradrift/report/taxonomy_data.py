"""What the pictures of a taxonomy show, gathered by whoever knows the archive."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """One row of `taxonomy`."""

    number: int
    parent: int | None
    """The ground regime that it is a path of; None of a ground regime."""
    label: str
    size: int
    share: float
    """0..1, of all placed patches."""
    representatives: tuple[str, ...] = ()
    """Patches that look most like it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Course:
    """An index of a leaf's members over time."""

    days: NDArray[np.datetime64]
    """(t,), datetime64[D], ascending."""
    low: NDArray[np.floating]
    middle: NDArray[np.floating]
    high: NDArray[np.floating]
    """(t,), 10th, 50th and 90th percentile over members that were clear."""
    typical: tuple[tuple[NDArray[np.datetime64], NDArray[np.floating]], ...] = ()
    """Days and values of each representative."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Drawn:
    """A taxonomy as pictures show it."""

    title: str
    regimes: tuple[Regime, ...]
    index: str
    """What the courses are of, such as NDVI."""
    courses: dict[int, Course]
    """By leaf; empty where no index is known."""
    corners: NDArray[np.float64]
    """(n, 4, 2), longitude and latitude of each patch."""
    leaf: NDArray[np.int64]
    """(n,), -1 where it cannot be told."""
    distances: NDArray[np.float64]
    """(k, k), between the paths of leaves, in the order of `leaves`."""
    colours: NDArray[np.float64]
    """(n, 3), 0..1, three components of each patch's path as a colour; NaN unknown."""
    explained: float
    """0..1, share of the variance of paths that the three components hold."""

    @property
    def leaves(self) -> tuple[Regime, ...]:
        """Regimes without children: ground by ground, the largest first."""
        parents = {one.parent for one in self.regimes}
        own = [one for one in self.regimes if one.number not in parents]
        ground = {one.number: one for one in self.regimes if one.parent is None}

        def place(one: Regime) -> tuple[int, int, int, int]:
            top = ground.get(one.number if one.parent is None else one.parent, one)
            return -top.size, top.number, -one.size, one.number

        return tuple(sorted(own, key=place))

    def siblings(self, one: Regime) -> Sequence[Regime]:
        """Leaves of the same ground, in order."""
        if one.parent is None:
            return (one,)
        return [other for other in self.leaves if other.parent == one.parent]
