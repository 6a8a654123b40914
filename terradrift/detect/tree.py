"""The tree of kinds: clusters that HDBSCAN chose, and what they join to as it loosens."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One cluster that is not a leaf: it holds the clusters `leaves`."""

    node: int
    parent: int
    leaves: frozenset[int]
    """Labels of the chosen clusters below."""


def grow(
    nodes: NDArray[np.integer], above: NDArray[np.integer]
) -> tuple[dict[int, int], list[Branch]]:
    """Read the clusters above the chosen ones from HDBSCAN's tree of clusters.

    Args:
        nodes: (labels,), the chosen cluster of each label; none is above another.
        above: (m,), the cluster that each cluster came from; cluster 0 is the root.

    Returns:
        For each label the node above it, and the branches other than the root. The
        root is not a branch: a parent that is the root reads -1.
    """

    def parent(node: int) -> int:
        return int(above[node]) or -1

    below: dict[int, set[int]] = {}
    for label, leaf in enumerate(nodes.tolist()):
        node = parent(leaf)
        while node > 0:
            below.setdefault(node, set()).add(label)
            node = parent(node)
    branches = [
        Branch(node, parent(node), frozenset(leaves)) for node, leaves in below.items()
    ]
    return {label: parent(leaf) for label, leaf in enumerate(nodes.tolist())}, branches
