"""Kinds of change: clusters of change deltas, and the tree that they form.

HDBSCAN (Campello, Moulavi and Sander 2013; see `density`) on the principal components of
`features`. Results do not depend on the order of rows: rows are sorted by `change_id`
first. Above `most` changes a seeded sample of `most` is clustered, and every other change
takes kind and probability of the sampled change nearest to it, which may be of no kind.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density import hdbscan
from terradrift.detect.density.choose import SELECTIONS
from terradrift.detect.features import features
from terradrift.detect.neighbours import knn
from terradrift.detect.tree import Branch, grow

NONE = 0
"""The number that stands for no kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One cluster, or a branch of the tree that holds several."""

    number: int
    """From 1. Clusters by size, largest first, then branches likewise."""
    parent: int | None
    """The branch that holds it; None at the top."""
    rows: NDArray[np.int64]
    """Its changes; of a branch, all changes of the clusters below."""
    stability: float
    """0..1, how long it lasts as density is asked for, of a cluster; NaN of a branch."""
    exemplars: NDArray[np.int64]
    """The changes that show it best, best first."""
    centroid: NDArray[np.float32]
    """(d,), mean delta."""


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """The kind of each of `n` changes."""

    kind: NDArray[np.int32]
    """(n,), number of a cluster, or `NONE`."""
    probability: NDArray[np.float32]
    """(n,), 0..1, how far inside its cluster; NaN where it has none."""
    kinds: tuple[Kind, ...]
    """In order of number."""
    reason: str
    """Why there are no kinds; empty where there are."""


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
        for name, least in (("min_samples", 1), ("exemplars", 1), ("most", 20)):
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
        delta = delta[order]
        points = features(
            before[order], delta, dimensions=self.dimensions, state=self.state
        )
        if not points.any():
            return _none(n, f"the {n} changes are all equal")
        found = self._dense(points, least, threads)
        if found.label.max() < 0:
            return _none(
                n, f"no group of {least} of the {n} changes is denser than the rest"
            )
        kinds, number = self._numbered(found, points, delta)
        kind = np.full(n, NONE, np.int32)
        kind[order] = number[found.label]
        probability = np.full(n, np.nan, np.float32)
        probability[order] = np.where(found.label < 0, np.nan, found.probability)
        back = (
            replace(each, rows=order[each.rows], exemplars=order[each.exemplars])
            for each in kinds
        )
        return Kinds(kind, probability, tuple(back), "")

    def _dense(self, points: NDArray[np.float32], least: int, threads: int) -> "_Dense":
        """Cluster the points, or a sample of them that the others follow."""
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
        tree = np.zeros(1, np.int32) if found.tree is None else found.tree.above
        above, branches = grow(found.nodes, tree)
        nearest = np.arange(n)
        if n > self.most:
            rest = np.setdiff1d(np.arange(n), sample, assume_unique=True)
            nearest[sample] = np.arange(len(sample))
            _, near = knn(points[rest], points[sample], 1, threads=threads)
            nearest[rest] = near[:, 0]
        return _Dense(
            found.label[nearest],
            found.probability[nearest].astype(np.float32),
            found.persistence,
            above,
            branches,
        )

    def _numbered(
        self,
        found: "_Dense",
        points: NDArray[np.float32],
        delta: NDArray[np.floating],
    ) -> tuple[list[Kind], NDArray[np.int32]]:
        """Kinds in order of number, and (labels + 1,) the number of each label, last of none."""
        nodes = [
            (frozenset([label]), parent, float(found.stability[label]))
            for label, parent in found.above.items()
        ]
        nodes += [(each.leaves, each.parent, np.nan) for each in found.branches]
        made = []
        for leaves, parent, stability in nodes:
            rows = np.flatnonzero(np.isin(found.label, list(leaves)))
            best = self._exemplars(points, rows, found.probability)
            centroid = delta[rows].mean(axis=0, dtype=np.float64).astype(np.float32)
            made.append(Kind(0, parent, rows, stability, best, centroid))
        ranked = sorted(
            range(len(nodes)),
            key=lambda i: (
                len(nodes[i][0]) > 1,
                -len(made[i].rows),
                made[i].exemplars[0],
            ),
        )
        place = {index: number for number, index in enumerate(ranked, start=1)}
        leaf_count = len(found.above)
        of_node = {
            branch.node: place[leaf_count + i]
            for i, branch in enumerate(found.branches)
        }
        number = np.array([place[i] for i in range(leaf_count)] + [NONE], np.int32)
        kinds = [
            replace(made[i], number=place[i], parent=of_node.get(made[i].parent or -1))
            for i in ranked
        ]
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


@dataclass(frozen=True, slots=True, eq=False)
class _Dense:
    """What HDBSCAN says of n points."""

    label: NDArray[np.int64]
    probability: NDArray[np.float32]
    stability: NDArray[np.floating]
    above: dict[int, int]
    branches: list[Branch]


def _none(n: int, reason: str) -> Kinds:
    return Kinds(np.full(n, NONE, np.int32), np.full(n, np.nan, np.float32), (), reason)
