"""The twin of the compiled search: a minimum spanning tree by Prim's algorithm.

Every distance is taken twice, so it is slow (a minute for 20,000 points of 16
dimensions). Squared distances are added in the order of the kernels, eight sums side by
side, so that the weights are theirs to the last bit.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density.spanning import Spanning


def spanning(points: NDArray[np.float32], min_samples: int) -> Spanning:
    """Find a minimum spanning tree of prepared points, as `spanning.spanning` does."""
    n = len(points)
    rows = points.astype(np.float64)
    core = np.array(
        [np.partition(_squares(rows, i), min_samples)[min_samples] for i in range(n)]
    )
    edges = np.zeros((n - 1, 2), np.int32)
    weights = np.empty(n - 1)
    reach = np.full(n, np.inf)
    via = np.zeros(n, np.int32)
    outside = np.ones(n, bool)
    here = 0
    for step in range(n - 1):
        outside[here] = False
        mutual = np.maximum(_squares(rows, here), np.maximum(core, core[here]))
        nearer = mutual < reach
        reach[nearer], via[nearer] = mutual[nearer], here
        here = int(np.where(outside, reach, np.inf).argmin())
        edges[step] = via[here], here
        weights[step] = reach[here]
    order = np.argsort(weights, kind="stable")
    return Spanning(edges[order], weights[order])


def _squares(rows: NDArray[np.float64], here: int) -> NDArray[np.float64]:
    n, d = rows.shape
    square = (rows - rows[here]) ** 2
    sums = np.zeros((n, 8))
    for start in range(0, d, 8):
        sums += square[:, start : start + 8]
    a, b, c, e = (sums[:, i] + sums[:, i + 1] for i in range(0, 8, 2))
    return np.asarray((a + b) + (c + e))
