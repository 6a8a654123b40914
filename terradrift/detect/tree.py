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
    condensed: NDArray[np.void], labels: NDArray[np.integer]
) -> tuple[dict[int, int], list[Branch]]:
    """Read the clusters above the chosen ones from HDBSCAN's condensed tree.

    Args:
        condensed: fields parent, child, lambda_val, child_size; nodes from the number of
            rows upwards are clusters, and the lowest of those is the root.
        labels: (n,), the chosen cluster of each row, -1 for none.

    Returns:
        For each label the node above it, and the branches other than the root. The
        root is not a branch: a parent that is the root reads -1.
    """
    root = int(condensed["parent"].min())
    clusters = condensed[condensed["child_size"] > 1]
    above = dict(
        zip(clusters["child"].tolist(), clusters["parent"].tolist(), strict=True)
    )
    points = condensed[condensed["child"] < root]
    fell_from = np.empty(len(labels), np.int64)
    fell_from[points["child"]] = points["parent"]
    leaf = {
        label: _join(set(fell_from[labels == label].tolist()), above)
        for label in range(int(labels.max(initial=-1)) + 1)
    }
    below: dict[int, set[int]] = {}
    for label, node in leaf.items():
        while node != root and (node := above[node]) != root:
            below.setdefault(node, set()).add(label)

    def parent(node: int) -> int:
        up = above.get(node, root)
        return -1 if up == root else up

    branches = [
        Branch(node, parent(node), frozenset(leaves)) for node, leaves in below.items()
    ]
    return {label: parent(node) for label, node in leaf.items()}, branches


def _join(nodes: set[int], above: dict[int, int]) -> int:
    """The lowest cluster that holds all `nodes`; numbers grow downwards."""
    while len(nodes) > 1:
        lowest = max(nodes)
        nodes = (nodes - {lowest}) | {above[lowest]}
    return nodes.pop()
