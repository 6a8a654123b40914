"""Which clusters of the tree are chosen, and what each point is to them.

Excess of mass: of a cluster and those that it falls into, whichever lasts longer for more
points (Campello, Moulavi and Sander 2013; McInnes and Healy 2017). Leaves: the clusters
that fall into none. The cluster of all points is never chosen.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density.condense import Tree

SELECTIONS = ("eom", "leaf")


def stability(tree: Tree) -> NDArray[np.float64]:
    """(m,), for each cluster the sum over its points of lambda from its birth on."""
    m = len(tree.above)
    alone = np.bincount(tree.parent, tree.left - tree.born[tree.parent], m)
    above = tree.above[1:]
    together = (tree.born[1:] - tree.born[above]) * tree.size[1:]
    return np.asarray(alone + np.bincount(above, together, m))


def chosen(
    tree: Tree, stable: NDArray[np.float64], selection: str
) -> NDArray[np.int64]:
    """The clusters chosen, ascending."""
    m = len(tree.above)
    if selection == "leaf":
        return np.setdiff1d(np.arange(1, m), tree.above)
    below = np.zeros(m)
    kept = np.zeros(m, bool)
    for node in range(m - 1, 0, -1):
        kept[node] = below[node] <= stable[node]
        below[tree.above[node]] += max(stable[node], below[node])
    inside = np.zeros(m, bool)  # of one that is chosen
    for node in range(1, m):
        inside[node] = kept[tree.above[node]] or inside[tree.above[node]]
    return np.flatnonzero(kept & ~inside)


def labels(tree: Tree, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,), the place in `nodes` of the cluster that a point is in, -1 of none."""
    of = np.full(len(tree.above), -1, np.int64)
    of[nodes] = np.arange(len(nodes))
    for node in range(1, len(of)):
        if of[node] < 0:
            of[node] = of[tree.above[node]]
    return np.asarray(of[tree.parent])


def probability(
    tree: Tree, nodes: NDArray[np.int64], label: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n,), 0..1: how long a point stays, of how long its cluster lasts; 0 of no cluster."""
    lasts = np.zeros(len(tree.above))
    np.maximum.at(lasts, tree.parent, tree.left)
    np.maximum.at(lasts, tree.above[1:], tree.born[1:])
    share = np.zeros(len(label))
    inside = label >= 0
    end = lasts[nodes[label[inside]]]
    share[inside] = np.minimum(tree.left[inside], end) / end
    return share


def persistence(
    tree: Tree,
    stable: NDArray[np.float64],
    nodes: NDArray[np.int64],
    label: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(labels,), 0..1: stability of a point, of the largest lambda of all."""
    most = max(tree.left.max(), tree.born.max())
    count = np.bincount(label[label >= 0], minlength=len(nodes))
    return np.asarray(stable[nodes] / (np.maximum(count, 1) * most))
