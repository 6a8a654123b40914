"""Clusters by density, where their number and shape are not known (pure)."""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density import hdbscan

DIMENSIONS = 16
"""Components that density is measured in: above some 50 the search is slow, and density
says little well before."""
_SAMPLES = 5


def dense(
    points: NDArray[np.floating], least: int, *, threads: int = 1
) -> NDArray[np.int64]:
    """Cluster points (n, d) by HDBSCAN: the label of each, (n,), -1 in no cluster.

    Of `d` the first `DIMENSIONS` are used, which are the leading components. All are in one
    cluster where no two are found.

    Args:
        points: (n, d), leading components first.
        least: the fewest points of a cluster, 2 or more.
        threads: that share the search.
    """
    rows = np.ascontiguousarray(points[:, :DIMENSIONS], np.float32)
    found = hdbscan(
        rows, min_cluster_size=least, min_samples=_SAMPLES, threads=threads
    ).label
    return found if found.max(initial=-1) > 0 else np.zeros(len(points), np.int64)
