"""Triplets of one date: two series of one cluster, and one of another (pure).

After Echegoyen et al. 2024 (doi:10.1007/s11222-024-10383-y), with the negatives that the
method states: the distant series is of another cluster and seen on the same date. The published
notebook replaces it by a random member of any triplet, which is often of the anchor's own
cluster.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Triplets:
    """`m` triplets; every array is (m,)."""

    date: Indices
    """Column of the date on which all three are seen."""
    anchor: Indices
    neighbour: Indices
    """Another series of the anchor's cluster."""
    distant: Indices
    """A series of another cluster."""

    def __len__(self) -> int:
        return len(self.date)


def draw(
    labels: NDArray[np.integer],
    known: NDArray[np.bool_],
    per_date: int,
    random: np.random.Generator,
) -> Triplets:
    """Draw `per_date` triplets of every date on which two clusters are seen.

    Clusters give anchors by their share of what is seen on the date, rounded by largest
    remainders; one that is seen once gives none, for want of a neighbour. The distant cluster
    `l` is drawn by `share_l / (1 - share_k)`.

    Args:
        labels: (n,), cluster of each series; below 0: in none, takes no part.
        known: (n, t), where a series was seen.
        per_date: triplets of a date.
        random: where chance comes from.

    Raises:
        ValueError: shapes that do not fit, or no date on which two clusters are seen, one of
            them twice.
    """
    if known.ndim != 2 or labels.shape != known.shape[:1]:
        raise ValueError(
            "expected labels (n,) and known (n, t), "
            f"got {labels.shape} and {known.shape}"
        )
    if per_date < 1:
        raise ValueError(f"per_date must be at least 1, got {per_date}")
    dates = (
        _of_date(labels, np.flatnonzero(seen & (labels >= 0)), date, per_date, random)
        for date, seen in enumerate(known.T)
    )
    found = [one for one in dates if one is not None]
    if not found:
        raise ValueError(
            "triplets take a date on which two clusters are seen, one of them twice; "
            "there is none"
        )
    return Triplets(
        *(
            np.concatenate([getattr(one, name) for one in found])
            for name in ("date", "anchor", "neighbour", "distant")
        )
    )


def _of_date(
    labels: NDArray[np.integer],
    seen: Indices,
    date: int,
    count: int,
    random: np.random.Generator,
) -> Triplets | None:
    """Triplets among the series `seen`, sorted by cluster so that each is one run."""
    order = seen[np.argsort(labels[seen], kind="stable")]
    _, start, size = np.unique(labels[order], return_index=True, return_counts=True)
    if len(size) < 2 or size.max() < 2:
        return None
    cluster = np.repeat(
        np.arange(len(size)), apportioned(np.where(size > 1, size, 0), count)
    )
    begin, many = start[cluster], size[cluster]
    first = random.integers(0, many)
    # Any other of the run: a step of 1 .. size - 1 around it.
    second = (first + random.integers(1, many)) % many
    # Any outside the run: places after it count on from its beginning.
    outside = random.integers(0, len(order) - many)
    outside += np.where(outside >= begin, many, 0)
    return Triplets(
        np.full(count, date, np.int64),
        order[begin + first],
        order[begin + second],
        order[outside],
    )


def apportioned(size: NDArray[np.integer], count: int) -> Indices:
    """`count` shared out by `size` (k,) with largest remainders; equal ones to the first."""
    exact = size * (count / size.sum())
    given: Indices = np.floor(exact).astype(np.int64)
    left = count - int(given.sum())
    given[np.argsort(given - exact, kind="stable")[:left]] += 1
    return given
