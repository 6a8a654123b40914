"""Kinds of change: clusters of change deltas, and the tree that they form.

HDBSCAN (Campello, Moulavi and Sander 2013; see `density`) on the principal components of
`features`. Results do not depend on the order of rows: rows are sorted by `change_id`
first. Above `most` changes a seeded sample of `most` is clustered, and every other change
takes kind and probability of the sampled change nearest to it, which may be of no kind.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density import Clusters, hdbscan
from terradrift.detect.density.choose import SELECTIONS
from terradrift.detect.features import basis
from terradrift.detect.kinds.fitted import NONE, Fitted, fit, translated
from terradrift.detect.kinds.tree import BRANCH, KIND, PART, Hierarchy, hierarchy
from terradrift.detect.neighbours import knn

_ROLES = (KIND, BRANCH, PART)
"""In order of numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One cluster: a kind, a branch of the tree that holds several, or a part of one."""

    number: int
    """From 1. Kinds by size, largest first, then branches and parts likewise."""
    parent: int | None
    """What it is a part of; None at the top."""
    role: str
    """`kind`, `branch` or `part`."""
    rows: NDArray[np.int64]
    """Its changes, with those of all that is below; of a branch those of its kinds."""
    stability: float
    """0..1, how long it lasts as density is asked for."""
    exemplars: NDArray[np.int64]
    """The changes that show it best, best first."""
    centroid: NDArray[np.float32]
    """(d,), mean delta."""


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """The kind of each of `n` changes."""

    kind: NDArray[np.int32]
    """(n,), number of a kind, or `NONE`."""
    probability: NDArray[np.float32]
    """(n,), 0..1, how far inside its kind; NaN where it has none."""
    kinds: tuple[Kind, ...]
    """In order of number."""
    reason: str
    """Why there are no kinds; empty where there are."""
    fitted: Fitted | None = None
    """What new changes are told by; None where there are no kinds."""

    def renumbered(self, number: dict[int, int]) -> "Kinds":
        """The same kinds, in the same order, under other numbers."""
        return replace(
            self,
            kind=translated(self.kind, number),
            kinds=tuple(
                replace(
                    each,
                    number=number[each.number],
                    parent=None if each.parent is None else number[each.parent],
                )
                for each in self.kinds
            ),
            fitted=None if self.fitted is None else self.fitted.renumbered(number),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How changes are grouped into kinds."""

    dimensions: int = 16
    """Principal components, at most 50: trees for neighbour search fail far above."""
    state: float = 0.25
    """Weight of the state before a change beside its direction. Kinds explain most of the
    differences in NDVI, NBR and NDWI, which they do not know, from 0 to 0.25."""
    min_cluster_size: int | None = None
    """The fewest changes of a kind; None: half the root of their number, 5 to 250."""
    min_samples: int = 3
    """Neighbours that density is measured by; more makes more changes of no kind."""
    selection: str = "eom"
    """Which clusters of the tree are kinds: `eom`, those that last longest for most
    changes, or `leaf`, the smallest."""
    exemplars: int = 5
    """Changes that show a kind."""
    kept: int = 1024
    """Changes of a kind that are kept with the fit, to tell new ones by."""
    most: int = 200_000
    """Changes to cluster; the others follow the nearest of them."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= 50:
            raise ValueError(
                f"dimensions must be between 1 and 50, got {self.dimensions}"
            )
        if self.state < 0:
            raise ValueError(f"state must not be negative, got {self.state}")
        if self.min_cluster_size is not None and self.min_cluster_size < 2:
            raise ValueError(
                f"min_cluster_size must be at least 2, got {self.min_cluster_size}"
            )
        if self.selection not in SELECTIONS:
            raise ValueError(
                f"selection must be one of {', '.join(SELECTIONS)}, "
                f"got {self.selection!r}"
            )
        for name, least in (
            ("min_samples", 1),
            ("exemplars", 1),
            ("kept", 1),
            ("most", 20),
        ):
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} must be at least {least}, got {getattr(self, name)}"
                )

    def cluster(
        self,
        change_ids: NDArray[np.str_],
        before: NDArray[np.floating],
        delta: NDArray[np.floating],
        *,
        threads: int = 1,
    ) -> Kinds:
        """Group `n` changes by their deltas (n, d) and the states before (n, d)."""
        n = len(change_ids)
        least = self.min_cluster_size or int(np.clip(round(n**0.5 / 2), 5, 250))
        needed = max(20, 2 * least)
        if n < needed:
            return _none(n, f"{n} changes; kinds need at least {needed}")
        order = np.argsort(change_ids, kind="stable")
        before, delta = before[order], delta[order]
        made = basis(before, delta, dimensions=self.dimensions, state=self.state)
        points = made.of(before, delta)
        if (points == points[0]).all():
            return _none(n, f"the {n} changes are all equal")
        found, nearest = self._dense(points, least, threads)
        if found.tree is None or not len(found.nodes):
            return _none(
                n, f"no group of {least} of the {n} changes is denser than the rest"
            )
        label = found.label[nearest]
        probability = found.probability[nearest].astype(np.float32)
        node = found.tree.parent[nearest].astype(np.int64)
        tree = hierarchy(found.tree, found.nodes, node)
        kinds, number = self._numbered(tree, points, delta, probability)
        kind = np.append(number[found.nodes], NONE)[label].astype(np.int32)
        probability = np.where(label < 0, np.float32(np.nan), probability)
        fitted = fit(
            made,
            points,
            kind,
            np.where(label < 0, NONE, number[node]).astype(np.int32),
            probability,
            per_kind=self.kept,
            seed=self.seed,
            threads=threads,
        )
        back = (
            replace(each, rows=order[each.rows], exemplars=order[each.exemplars])
            for each in kinds
        )
        place = np.argsort(order)
        return Kinds(kind[place], probability[place], tuple(back), "", fitted)

    def _dense(
        self, points: NDArray[np.float32], least: int, threads: int
    ) -> tuple[Clusters, NDArray[np.int64]]:
        """Clusters of the points or of a sample, and (n,) the row there that each follows."""
        n = len(points)
        sample = np.arange(n)
        if n > self.most:
            random = np.random.default_rng(self.seed)
            sample = np.sort(random.choice(n, self.most, replace=False))
            least = max(5, round(least * self.most / n))
        found = hdbscan(
            points[sample],
            min_cluster_size=least,
            min_samples=self.min_samples,
            selection=self.selection,
            threads=threads,
        )
        nearest = np.arange(n)
        if n > self.most:
            rest = np.setdiff1d(np.arange(n), sample, assume_unique=True)
            nearest[sample] = np.arange(len(sample))
            _, near = knn(points[rest], points[sample], 1, threads=threads)
            nearest[rest] = near[:, 0]
        return found, nearest

    def _numbered(
        self,
        tree: Hierarchy,
        points: NDArray[np.float32],
        delta: NDArray[np.floating],
        probability: NDArray[np.float32],
    ) -> tuple[list[Kind], NDArray[np.int32]]:
        """Kinds in order of number, and (m,) the number of each cluster of the tree."""
        found = []
        for cluster in np.flatnonzero(tree.role != "").tolist():
            rows = np.sort(tree.rows(cluster))
            best = self._exemplars(points, rows, probability)
            centroid = delta[rows].mean(axis=0, dtype=np.float64).astype(np.float32)
            found.append((cluster, rows, best, centroid))
        found.sort(
            key=lambda each: (
                _ROLES.index(tree.role[each[0]]),
                -len(each[1]),
                each[2][0],
                each[0],
            )
        )
        number = np.full(len(tree.role), NONE, np.int32)
        for place, (cluster, *_) in enumerate(found, start=1):
            number[cluster] = place
        kinds = []
        for cluster, rows, best, centroid in found:
            above = int(tree.above[cluster])
            kinds.append(
                Kind(
                    int(number[cluster]),
                    int(number[above]) if above > 0 else None,
                    str(tree.role[cluster]),
                    rows,
                    float(tree.stability[cluster]),
                    best,
                    centroid,
                )
            )
        return kinds, number

    def _exemplars(
        self,
        points: NDArray[np.float32],
        rows: NDArray[np.int64],
        probability: NDArray[np.float32],
    ) -> NDArray[np.int64]:
        """The surest members, and of those as sure the nearest to the mean."""
        away = np.linalg.norm(points[rows] - points[rows].mean(axis=0), axis=1)
        order = np.lexsort((rows, away, -probability[rows]))
        return np.asarray(rows[order[: self.exemplars]])


def _none(n: int, reason: str) -> Kinds:
    return Kinds(np.full(n, NONE, np.int32), np.full(n, np.nan, np.float32), (), reason)
