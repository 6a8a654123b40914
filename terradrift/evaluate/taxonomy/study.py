"""Protocol P5: regimes against planted ones, before and after refinement, with its control.

The control is the same refinement with the same labels in random order: it also turns and
stretches the space, so only what right labels gain above it is a gain.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.kmeans import kmeans
from terradrift.detect.taxonomy.observed import Observed
from terradrift.detect.taxonomy.refine import Refinement, refine
from terradrift.detect.taxonomy.settings import Settings
from terradrift.evaluate.taxonomy.agreement import (
    agreement,
    both,
    coherence,
    path_silhouette,
)
from terradrift.evaluate.taxonomy.pipeline import Regimes, classify
from terradrift.evaluate.taxonomy.stability import repeated
from terradrift.space import Space

_TIMES = 3
"""Regimes are found again, for their stability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the patches are; below 0 where it is not known."""

    ground: NDArray[np.int64]
    """(n,)"""
    leaf: NDArray[np.int64]
    """(n,)"""
    cells: NDArray[np.int64]
    """(n, 3)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Regimes of one series in one space."""

    grounds: float
    leaves: float
    """How many were found."""
    ari_ground: float
    ari_leaf: float
    nmi_leaf: float
    ari_chance: float
    nmi_chance: float
    """Of leaves, labels in random order."""
    ari_flat: float
    """Plain k-means of whole paths, told the true number of leaves."""
    silhouette: float
    """By the mean over dates of |x_t - y_t|, in the space."""
    geographic: float
    """Silhouette on grid coordinates."""
    beside: float
    beside_chance: float
    """Share of neighbours of one leaf, and by chance."""
    stable_seeds: float
    stable_dates: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One series: before refinement, after it, and after that by random labels."""

    before: Measured
    refined: Measured
    control: Measured
    error_before: float
    error_after: float
    """Share of wrong held-out triplets."""

    def gain(self, name: str) -> tuple[float, float]:
        """What a measure gained by refinement, and by that with random labels."""
        start = getattr(self.before, name)
        return getattr(self.refined, name) - start, getattr(self.control, name) - start


def study(
    seen: Observed,
    truth: Truth,
    settings: Settings | None = None,
    refinement: Refinement | None = None,
    *,
    threads: int = 1,
) -> Study:
    """Find regimes, refine by them and by chance, and measure all three.

    Raises:
        ValueError: too few patches are seen often enough, or there is one regime, by which
            nothing can be refined.
    """
    rules, learn = settings or Settings(), refinement or Refinement()
    plain = classify(seen, rules, threads=threads)
    random = np.random.default_rng([learn.seed, 13])
    shuffled = plain.leaf.copy()
    placed = shuffled >= 0
    shuffled[placed] = random.permutation(shuffled[placed])
    right = refine(seen.vectors, seen.clear, plain.leaf, learn)
    wrong = refine(seen.vectors, seen.clear, shuffled, learn)

    def again(space: Space) -> Measured:
        found = classify(seen, rules, space=space, threads=threads)
        return measure(found, truth, rules, threads=threads)

    return Study(
        before=measure(plain, truth, rules, threads=threads),
        refined=again(right.space),
        control=again(wrong.space),
        error_before=right.error_before,
        error_after=right.error_after,
    )


def measure(
    found: Regimes, truth: Truth, settings: Settings, *, threads: int = 1
) -> Measured:
    """Hold regimes to the truth, and to themselves."""
    whole = found.paths.whole
    known = whole & (truth.leaf >= 0)
    many = len(np.unique(truth.leaf[known]))
    values = found.paths.values
    flat = kmeans(values[known].reshape(int(known.sum()), -1), many, seed=settings.seed)
    of_leaf = agreement(truth.leaf, found.leaf, seed=settings.seed)
    place = coherence(truth.cells, found.leaf, seed=settings.seed)
    steady = repeated(
        found.paths, found.taxonomy.calendar, settings, times=_TIMES, threads=threads
    )
    return Measured(
        grounds=float(len(found.taxonomy.ground)),
        leaves=float(len(found.taxonomy.leaves)),
        ari_ground=agreement(truth.ground, found.ground, seed=settings.seed).ari,
        ari_leaf=of_leaf.ari,
        nmi_leaf=of_leaf.nmi,
        ari_chance=of_leaf.ari_by_chance,
        nmi_chance=of_leaf.nmi_by_chance,
        ari_flat=both(truth.leaf[known], flat)[0],
        silhouette=path_silhouette(
            values, np.where(whole, found.leaf, -1), seed=settings.seed
        ),
        geographic=place.silhouette,
        beside=place.beside,
        beside_chance=place.beside_by_chance,
        stable_seeds=steady.seeds,
        stable_dates=steady.dates,
    )


NAMES = tuple(field.name for field in fields(Measured))
