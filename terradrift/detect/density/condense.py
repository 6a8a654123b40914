"""The tree of clusters that a spanning tree implies.

All edges of one weight are removed at once, as Campello, Moulavi and Sander (2013, section
3) have it, so a cluster can fall into more than two, and the tree depends neither on which
of several minimum spanning trees was found nor on the order of equal weights.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density.native import Kernels, pointers, sizes
from terradrift.detect.density.spanning import Spanning


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """m clusters of n points; cluster 0 is all, and parents come before children.

    Lambda is 1 over distance. A distance of 0 counts as the smallest that is not.
    """

    parent: NDArray[np.int32]
    """(n,), the smallest cluster that ever holds a point."""
    left: NDArray[np.float64]
    """(n,), lambda at which the point leaves it."""
    above: NDArray[np.int32]
    """(m,), the cluster that a cluster came from; -1 of the first."""
    born: NDArray[np.float64]
    """(m,), lambda at which that fell apart; 0 of the first."""
    size: NDArray[np.int32]
    """(m,), points at birth."""


def condense(
    spanning: Spanning, unit: float, least: int, kernels: Kernels | None
) -> Tree:
    """Build the tree of clusters of at least `least` points, 2 or more.

    Args:
        spanning: of n points, n at least 2, with a weight above 0.
        unit: of length, as of `Prepared`.
        least: the fewest points of a cluster.
        kernels: None for the twin.
    """
    parent, left, above, born, size = (
        _plain(spanning, least) if kernels is None else _fast(spanning, least, kernels)
    )
    smallest = spanning.weights[spanning.weights > 0].min()

    def density(square: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1 / (np.sqrt(np.maximum(square, smallest)) * unit))

    return Tree(parent, density(left), above, density(born), size)


_Raw = tuple[
    NDArray[np.int32],
    NDArray[np.float64],
    NDArray[np.int32],
    NDArray[np.float64],
    NDArray[np.int32],
]


def _fast(spanning: Spanning, least: int, kernels: Kernels) -> _Raw:
    n = len(spanning.weights) + 1
    parent, above, size = (np.empty(n, np.int32) for _ in range(3))
    left, born = np.empty(n), np.empty(n)
    edges = np.ascontiguousarray(spanning.edges)
    m = kernels.linkage.linkage_condense(
        *sizes(n),
        *pointers(edges, spanning.weights),
        *sizes(least),
        *pointers(parent, left, above, born, size),
    )
    if m < 0:
        raise MemoryError(f"no memory for the clusters of {n} points")
    return parent, left, above[:m].copy(), born[:m].copy(), size[:m].copy()


@dataclass(slots=True, eq=False)
class _Node:
    """Points that are joined at one weight, and by what; a point joins nothing."""

    weight: float
    parts: list["_Node"]
    points: list[int]


def _plain(spanning: Spanning, least: int) -> _Raw:
    n = len(spanning.weights) + 1
    parent, left = np.empty(n, np.int32), np.empty(n)
    above, born, size = [-1], [np.inf], [n]
    begins = [_joined(spanning, n)]
    for cluster, first in enumerate(begins):  # it grows meanwhile
        node = first
        while True:
            large = [part for part in node.parts if len(part.points) >= least]
            small = [part for part in node.parts if len(part.points) < least]
            for part in small:
                parent[part.points] = cluster
                left[part.points] = node.weight
            if len(large) != 1:
                break
            node = large[0]
        for part in sorted(large, key=lambda each: min(each.points)):
            begins.append(part)
            above.append(cluster)
            born.append(node.weight)
            size.append(len(part.points))
    return (
        parent,
        left,
        np.array(above, np.int32),
        np.array(born),
        np.array(size, np.int32),
    )


def _joined(spanning: Spanning, n: int) -> _Node:
    """The node of all points."""
    of = [_Node(-1.0, [], [i]) for i in range(n)]
    node = of[0]
    edges = zip(spanning.edges.tolist(), spanning.weights.tolist(), strict=True)
    for (i, j), weight in edges:
        parts: list[_Node] = []
        for each in (of[i], of[j]):
            parts += each.parts if each.weight == weight else [each]
        node = _Node(weight, parts, of[i].points + of[j].points)
        for point in node.points:
            of[point] = node
    return node
