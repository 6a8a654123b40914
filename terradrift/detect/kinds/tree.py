"""The tree of kinds: clusters that HDBSCAN chose, what they join to, and what they fall into."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density.choose import stability
from terradrift.detect.density.condense import Tree

KIND = "kind"
"""A cluster that was chosen: what changes are said to be of."""
BRANCH = "branch"
"""A cluster above: it holds several kinds."""
PART = "part"
"""A cluster below: some of the changes of one kind, denser than the rest of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """`m` clusters of HDBSCAN's tree with their roles, and where each point stands."""

    role: NDArray[np.str_]
    """(m,), empty for the cluster of all points."""
    above: NDArray[np.int64]
    """(m,), the cluster that each came from; -1 at the top."""
    stability: NDArray[np.float64]
    """(m,), 0..1: how long a point stays in it as density is asked for, as a share of the
    longest of all."""
    _first: NDArray[np.int64]
    _last: NDArray[np.int64]
    _order: NDArray[np.int64]
    _place: NDArray[np.int64]

    def rows(self, cluster: int) -> NDArray[np.int64]:
        """The points of the cluster and of all below it; of a branch those of its kinds."""
        start, stop = np.searchsorted(
            self._place, [self._first[cluster], self._last[cluster]]
        )
        return self._order[start:stop]


def hierarchy(
    tree: Tree, chosen: NDArray[np.int64], node: NDArray[np.int64]
) -> Hierarchy:
    """Read the tree around the chosen clusters, none of which is above another.

    Args:
        tree: as HDBSCAN built it; parents come before children.
        chosen: (labels,), the clusters that are kinds.
        node: (n,), the smallest cluster that each point belongs to; these may be other
            points than those of `tree`, which follow them.
    """
    m = len(tree.above)
    role = np.full(m, "", "<U6")
    role[chosen] = KIND
    for cluster in chosen.tolist():
        up = int(tree.above[cluster])
        while up > 0 and not role[up]:
            role[up] = BRANCH
            up = int(tree.above[up])
    for cluster in range(1, m):
        if role[tree.above[cluster]] in (KIND, PART):
            role[cluster] = PART
    # Depth first, what is below a cluster is a run of places.
    size = np.ones(m, np.int64)
    for cluster in range(m - 1, 0, -1):
        size[tree.above[cluster]] += size[cluster]
    first = np.zeros(m, np.int64)
    free = np.ones(m, np.int64)
    for cluster in range(1, m):
        up = tree.above[cluster]
        first[cluster] = first[up] + free[up]
        free[up] += size[cluster]
    inside = np.flatnonzero(np.isin(role[node], (KIND, PART)))
    order = inside[np.argsort(first[node[inside]], kind="stable")]
    stays = stability(tree) / (
        np.maximum(tree.size, 1) * max(tree.left.max(), tree.born.max())
    )
    above = np.where(tree.above > 0, tree.above, -1).astype(np.int64)
    return Hierarchy(role, above, stays, first, first + size, order, first[node[order]])
