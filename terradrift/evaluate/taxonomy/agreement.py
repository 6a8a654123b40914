"""How far two labellings agree, and how well one fits paths and places (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.graph import path_distances

Labels = NDArray[np.integer]
_SAMPLE = 1024
"""Series that a silhouette is measured on: all pairs are compared."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of labels with truth, over the rows of which truth is known."""

    ari: float
    """Adjusted Rand index (Hubert and Arabie 1985), 1 at best, 0 by chance."""
    nmi: float
    """Normalised mutual information, 0..1; chance gives more than 0."""
    ari_by_chance: float
    nmi_by_chance: float
    """The same labels in random order, mean of 20 orders."""
    rows: int


def agreement(truth: Labels, labels: Labels, *, seed: int = 0) -> Agreement:
    """Hold labels (n,) to truth (n,); below 0 truth is not known, and a label is its own class.

    Raises:
        ValueError: unequal lengths, or truth is known of no row.
    """
    if truth.shape != labels.shape:
        raise ValueError(
            f"expected truth and labels of one length, got {truth.shape} and {labels.shape}"
        )
    rows = np.flatnonzero(truth >= 0)
    if len(rows) == 0:
        raise ValueError("expected truth of some rows, there is none")
    true, told = truth[rows], labels[rows]
    random = np.random.default_rng([seed, 5])
    drawn = [both(true, random.permutation(told)) for _ in range(20)]
    chance = np.mean(drawn, axis=0)
    return Agreement(*both(true, told), float(chance[0]), float(chance[1]), len(rows))


def both(first: Labels, second: Labels) -> tuple[float, float]:
    """Adjusted Rand index and normalised mutual information."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return (
        float(adjusted_rand_score(first, second)),
        float(normalized_mutual_info_score(first, second)),
    )


def stability(labellings: Sequence[Labels]) -> float:
    """Mean adjusted Rand index over pairs of labellings of the same rows; NaN below two.

    Rows that either leaves without a label (below 0) do not count in that pair.
    """
    found = []
    for one, other in combinations(labellings, 2):
        rows = (one >= 0) & (other >= 0)
        if rows.any():
            found.append(both(one[rows], other[rows])[0])
    return float(np.mean(found)) if found else float("nan")


def path_silhouette(
    paths: NDArray[np.floating], labels: Labels, *, seed: int = 0
) -> float:
    """Mean silhouette by the mean over dates of |x_t - y_t|, on at most 1,024 series.

    Args:
        paths: (n, t, d), known at every step.
        labels: (n,), below 0: not counted.
        seed: of the sample.

    Returns:
        -1..1; NaN where fewer than two clusters have members.
    """
    rows = _sample(labels, seed)
    if not 2 <= len(np.unique(labels[rows])) < len(rows):
        return float("nan")
    from sklearn.metrics import silhouette_score

    distances = path_distances(paths[rows], paths[rows])
    np.fill_diagonal(distances, 0)
    return float(silhouette_score(distances, labels[rows], metric="precomputed"))


@dataclass(frozen=True, slots=True)
class Coherence:
    """How far patches of one regime lie together on the ground."""

    silhouette: float
    """On grid coordinates, -1..1."""
    calinski_harabasz: float
    """On grid coordinates, above 0."""
    beside: float
    """0..1, share of patches side by side that have one regime."""
    beside_by_chance: float
    """0..1, what it would be if regimes were spread at random."""


def coherence(cells: NDArray[np.int64], labels: Labels, *, seed: int = 0) -> Coherence:
    """Of labels (n,) of patches at cells (n, 3): CRS, row, column. NaN where not defined."""
    rows = _sample(labels, seed)
    where = cells[:, 1:].astype(np.float64)
    silhouette = ratio = float("nan")
    if 2 <= len(np.unique(labels[rows])) < len(rows):
        from sklearn.metrics import calinski_harabasz_score, silhouette_score

        silhouette = float(silhouette_score(where[rows], labels[rows]))
        inside = labels >= 0
        ratio = float(calinski_harabasz_score(where[inside], labels[inside]))
    same = _beside(cells, labels)
    shares = np.unique(labels[labels >= 0], return_counts=True)[1]
    shares = shares / max(shares.sum(), 1)
    return Coherence(silhouette, ratio, same, float((shares**2).sum()))


def _beside(cells: NDArray[np.int64], labels: Labels) -> float:
    inside = np.flatnonzero(labels >= 0)
    at = {tuple(cell): row for row, cell in zip(inside, cells[inside], strict=True)}
    pairs = [
        (row, at[next_])
        for (crs, y, x), row in at.items()
        for next_ in ((crs, y + 1, x), (crs, y, x + 1))
        if next_ in at
    ]
    if not pairs:
        return float("nan")
    one, other = np.array(pairs).T
    return float((labels[one] == labels[other]).mean())


def _sample(labels: Labels, seed: int) -> NDArray[np.int64]:
    rows = np.flatnonzero(labels >= 0)
    if len(rows) > _SAMPLE:
        random = np.random.default_rng([seed, 6])
        rows = np.sort(random.choice(rows, _SAMPLE, replace=False))
    return rows
