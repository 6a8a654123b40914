"""A fit of kinds that can be used again: exemplars, and the kind of changes near them.

A change takes the kind of the exemplar nearest to it, which may be of none. One further
away than parts members of that kind from others best is of none either.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.features import Basis
from terradrift.detect.neighbours import knn

NONE = 0
"""The number that stands for no kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """The kinds of `n` changes by a fit that did not see them."""

    kind: NDArray[np.int32]
    """(n,), `NONE` of no kind."""
    probability: NDArray[np.float32]
    """(n,), 0..1, that of the nearest exemplar; NaN of no kind."""
    node: NDArray[np.int32]
    """(n,), the smallest part of the tree, `NONE` of no kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """`m` exemplars of kinds, and of what is of no kind."""

    basis: Basis
    points: NDArray[np.float32]
    """(m, c), in the basis."""
    kind: NDArray[np.int32]
    """(m,), `NONE` of no kind."""
    node: NDArray[np.int32]
    """(m,), number of the smallest cluster of the tree that holds it."""
    probability: NDArray[np.float32]
    """(m,), 0..1, NaN of no kind."""
    reach: NDArray[np.float32]
    """(m,), how far from an exemplar changes are of its kind; infinite of no kind."""

    @property
    def dimensions(self) -> int:
        """Length of the vectors that it takes."""
        return self.basis.dimensions

    def assign(
        self,
        before: NDArray[np.floating],
        delta: NDArray[np.floating],
        *,
        threads: int = 1,
    ) -> Assigned:
        """The kinds of changes (n, d), each by itself, whatever the others are.

        Raises:
            ValueError: vectors of another length than the fit's.
        """
        n = len(delta)
        if n == 0:
            none = np.zeros(0, np.int32)
            return Assigned(none, np.zeros(0, np.float32), none)
        away, near = knn(self.basis.of(before, delta), self.points, 1, threads=threads)
        nearest, distance = near[:, 0], away[:, 0]
        # A rounding error is no reason to turn away what is an exemplar itself.
        far = distance > self.reach[nearest] * 1.001 + 1e-6
        kind = np.where(far, NONE, self.kind[nearest]).astype(np.int32)
        of_none = kind == NONE
        return Assigned(
            kind,
            np.where(of_none, np.nan, self.probability[nearest]).astype(np.float32),
            np.where(of_none, NONE, self.node[nearest]).astype(np.int32),
        )

    def renumbered(self, number: dict[int, int]) -> "Fitted":
        """The same under other numbers."""
        return replace(
            self,
            kind=translated(self.kind, number),
            node=translated(self.node, number),
        )


def translated(numbers: NDArray[np.int32], to: dict[int, int]) -> NDArray[np.int32]:
    """(n,) each number as another; `NONE` stays."""
    known, where = np.unique(numbers, return_inverse=True)
    new = [NONE if one == NONE else to[one] for one in known.tolist()]
    return np.array(new, np.int32)[where].reshape(numbers.shape)


def fit(
    basis: Basis,
    points: NDArray[np.float32],
    kind: NDArray[np.int32],
    node: NDArray[np.int32],
    probability: NDArray[np.float32],
    *,
    per_kind: int,
    seed: int,
    threads: int = 1,
) -> Fitted:
    """Keep at most `per_kind` members of each kind, and four times as many of none.

    The surest members come first, half of the places go to a seeded sample of the others,
    so that the rim of a kind is known as well as its middle.

    Args:
        basis: of the points.
        points: (n, c).
        kind: (n,).
        node: (n,).
        probability: (n,), NaN of no kind.
        per_kind: members to keep.
        seed: of the sample.
        threads: of the search.
    """
    random = np.random.default_rng(seed)
    kept = []
    for number in np.unique(kind).tolist():
        rows = np.flatnonzero(kind == number)
        most = 4 * per_kind if number == NONE else per_kind
        if len(rows) > most:
            sure = rows[np.argsort(-np.nan_to_num(probability[rows]), kind="stable")]
            rest = random.choice(sure[most // 2 :], most - most // 2, replace=False)
            rows = np.sort(np.concatenate([sure[: most // 2], rest]))
        kept.append(rows)
    chosen = np.concatenate(kept)
    return Fitted(
        basis,
        np.ascontiguousarray(points[chosen]),
        kind[chosen],
        node[chosen],
        probability[chosen],
        _reaches(points, kind, chosen, threads),
    )


def _reaches(
    points: NDArray[np.float32],
    kind: NDArray[np.int32],
    chosen: NDArray[np.int64],
    threads: int,
) -> NDArray[np.float32]:
    """(m,), per kind the distance that parts its members from the others best.

    Every change is told by the exemplar nearest to it that it is not itself. Exemplars of
    no kind are thinner than those of kinds, so that nearest alone would take too many in.
    """
    k = min(2, len(chosen))
    away, near = knn(points, points[chosen], k, threads=threads)
    own = chosen[near[:, 0]] == np.arange(len(points))
    pick = np.where(own & (k > 1), k - 1, 0)[:, None]
    distance = np.take_along_axis(away, pick, 1)[:, 0]
    told = kind[chosen][np.take_along_axis(near, pick, 1)[:, 0]]
    reach = np.full(len(chosen), np.inf, np.float32)
    for number in np.unique(kind).tolist():
        if number == NONE:
            continue
        rows = np.flatnonzero(told == number)
        order = rows[np.argsort(distance[rows], kind="stable")]
        gain = np.cumsum(np.where(kind[order] == number, 1, -1))
        best = distance[order[int(gain.argmax())]] if len(order) else 0.0
        reach[kind[chosen] == number] = best
    return reach
