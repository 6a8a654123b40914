"""Which regimes are next to each other in meaning: the minimum spanning tree (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.stats import rankdata


def path_distances(
    first: NDArray[np.floating], second: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(a, b) mean over dates of |x_t - y_t| between paths (a, t, d) and (b, t, d).

    The distance of Echegoyen et al. 2024, there a sum: the sum of per-date norms, which is
    not what k-means minimises.

    Raises:
        ValueError: paths of other dates or dimensions.
    """
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(
            "expected paths of the same dates and dimensions, got "
            f"{first.shape[1:]} and {second.shape[1:]}"
        )
    total = np.zeros((len(first), len(second)))
    for date in range(first.shape[1]):
        one = first[:, date].astype(np.float64)
        other = second[:, date].astype(np.float64)
        # Differences, not products: equal paths are exactly 0 apart.
        for row, vector in enumerate(one):
            total[row] += np.linalg.norm(other - vector, axis=1)
    mean: NDArray[np.float64] = total / max(first.shape[1], 1)
    return mean


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """The semantic graph of `k` regimes: a tree of k - 1 edges."""

    edges: NDArray[np.int64]
    """(k - 1, 2), numbers of regimes, the shortest edge first."""
    lengths: NDArray[np.float64]
    """(k - 1,), ascending."""


def spanning(distances: NDArray[np.floating]) -> Graph:
    """The minimum spanning tree of (k, k) distances.

    Raises:
        ValueError: not a square of finite distances.
    """
    if distances.ndim != 2 or len(set(distances.shape)) > 1:
        raise ValueError(f"expected distances (k, k), got {distances.shape}")
    if not np.isfinite(distances).all():
        raise ValueError("expected finite distances, some are not")
    if len(distances) < 2:
        return Graph(np.empty((0, 2), np.int64), np.empty(0))
    # By ranks, from 1: the tree is the same, and a distance of 0 is not taken for no edge.
    ranked = rankdata(distances, method="ordinal").reshape(distances.shape)
    ranked = np.minimum(ranked, ranked.T)
    np.fill_diagonal(ranked, 0)
    tree = minimum_spanning_tree(ranked).tocoo()
    edges = np.sort(np.column_stack([tree.row, tree.col]), axis=1).astype(np.int64)
    lengths = np.asarray(distances, np.float64)[edges[:, 0], edges[:, 1]]
    order = np.lexsort((edges[:, 1], edges[:, 0], lengths))
    return Graph(edges[order], lengths[order])
