"""Density-based clusters: HDBSCAN, exact, by kernels or by their twins in NumPy.

The steps: `prepared` points, a minimum spanning tree of mutual reachability (`spanning`, or
its twin in `plain`), the tree of clusters that it implies (`condense`), and the clusters
that are chosen from that (`choose`).
"""

from terradrift.detect.density.clusters import Clusters, hdbscan

__all__ = ["Clusters", "hdbscan"]
