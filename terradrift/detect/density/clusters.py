"""HDBSCAN as one function over arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density import choose, plain
from terradrift.detect.density.condense import Tree, condense
from terradrift.detect.density.native import kernels
from terradrift.detect.density.prepared import prepared
from terradrift.detect.density.spanning import spanning


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The clusters of n points."""

    label: NDArray[np.int64]
    """(n,), from 0, -1 of no cluster."""
    probability: NDArray[np.float64]
    """(n,), 0..1, how far inside its cluster; 0 of no cluster."""
    persistence: NDArray[np.float64]
    """(labels,), 0..1, how long a cluster lasts as density is asked for."""
    nodes: NDArray[np.int64]
    """(labels,), where each cluster is in the tree."""
    tree: Tree | None
    """None where there are too few points for one, or all are equal."""


def hdbscan(
    points: NDArray[np.floating],
    *,
    min_cluster_size: int,
    min_samples: int,
    selection: str = "eom",
    threads: int = 1,
) -> Clusters:
    """Cluster points by density, as Campello, Moulavi and Sander (2013) define it.

    Exact Euclidean distances of the points as float32. The result depends neither on the
    number of threads nor, up to the numbers of clusters, on the order of rows.

    Args:
        points: (n, d), finite. More than some 50 dimensions are slow.
        min_cluster_size: the fewest points of a cluster, 2 or more.
        min_samples: the neighbour, the point itself not counted, whose distance is the
            core distance; at most n - 1 is used.
        selection: `eom`, excess of mass, or `leaf`, the smallest clusters.
        threads: that share the search.

    Raises:
        ValueError: a parameter out of range, or points that are not finite rows.
    """
    if min_cluster_size < 2:
        raise ValueError(f"min_cluster_size must be at least 2, got {min_cluster_size}")
    for name, value in (("min_samples", min_samples), ("threads", threads)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if selection not in choose.SELECTIONS:
        raise ValueError(
            f"selection must be one of {', '.join(choose.SELECTIONS)}, got {selection!r}"
        )
    ready = prepared(points)
    n = len(ready.rows)
    if n < 2 or (ready.rows == ready.rows[0]).all():
        return _none(n)
    native = kernels()
    samples = min(min_samples, n - 1)
    joined = (
        plain.spanning(ready.rows, samples)
        if native is None
        else spanning(ready.rows, samples, native, threads=threads)
    )
    tree = condense(joined, ready.unit, min_cluster_size, native)
    stable = choose.stability(tree)
    nodes = choose.chosen(tree, stable, selection)
    label = choose.labels(tree, nodes)
    return Clusters(
        label,
        choose.probability(tree, nodes, label),
        choose.persistence(tree, stable, nodes, label),
        nodes,
        tree,
    )


def _none(n: int) -> Clusters:
    return Clusters(
        np.full(n, -1, np.int64),
        np.zeros(n),
        np.empty(0),
        np.empty(0, np.int64),
        None,
    )
