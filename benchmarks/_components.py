"""What leading principal components keep of real vectors."""

from typing import Any

import numpy as np
from _agreement import agreement, some
from _stored import principal
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from terradrift.detect.density import hdbscan
from terradrift.detect.duplicates import groups
from terradrift.detect.lof import lof
from terradrift.detect.neighbours import knn

ROWS = 10_000
Rows = NDArray[np.float32]


def two_nearest(rows: Rows, threads: int) -> float:
    """Intrinsic dimension by the ratio of the distances to the two nearest neighbours.

    Facco et al. 2017, "Estimating the intrinsic dimension of datasets by a minimal
    neighborhood information", 10.1038/s41598-017-11873-y: log of the ratio is exponential
    with the dimension as its rate; the slope through 0 of its empirical distribution.
    """
    distance, _ = knn(rows, rows, 2, exclude_self=True, threads=threads)
    ratio = np.sort(np.log(distance[:, 1] / np.maximum(distance[:, 0], 1e-30)))
    keep = len(ratio) * 9 // 10
    x, y = ratio[:keep], -np.log1p(-np.arange(1, keep + 1) / len(ratio))
    return float(x @ y / (x @ x))


def exact_lof(rows: Rows, reduced: Rows, threads: int) -> Rows:
    """LOF by the 20 nearest of the 48 that are nearest in `reduced`."""
    _, near = knn(reduced, reduced, 48, exclude_self=True, threads=threads)
    apart = np.stack(
        [np.linalg.norm(rows[near[at]] - rows[at], axis=1) for at in range(len(rows))]
    )
    order = np.argsort(apart, axis=1, kind="stable")[:, :20]
    near, apart = (np.take_along_axis(part, order, 1) for part in (near, apart))
    density = 1 / (np.maximum(apart, apart[near, -1]).mean(axis=1) + 1e-10)
    return density[near].mean(axis=1) / density


def distinct(rows: Rows) -> Rows:
    """At most `ROWS` of the rows, in random order."""
    rows = some(rows, 3 * ROWS, 2)
    return rows[groups(rows) == np.arange(len(rows))][:ROWS]


def of_components(name: str, model: str, rows: Rows, threads: int) -> dict[str, Any]:
    mean, axes, shares = principal(rows, 64)
    reduced = (rows - mean) @ axes
    by_all = lof(rows, 20, threads=threads)
    overlap = [
        agreement(part, by_all)[1]
        for part in (
            lof(reduced, 20, threads=threads),
            exact_lof(rows, reduced, threads),
        )
    ]
    most = len(rows) * 9 // 10
    label, short, fewer = (
        hdbscan(part, min_cluster_size=25, min_samples=5, threads=threads).label
        for part in (rows, np.ascontiguousarray(reduced[:, :32]), rows[:most])
    )
    return {
        "set": name,
        "model": model,
        "d": rows.shape[1],
        "rows": len(rows),
        "variance in 32": float(shares[:32].sum()),
        "in 64": float(shares[:64].sum()),
        "LOF by 64": overlap[0],
        "exact of 48": overlap[1],
        "clusters by all / 32": f"{label.max() + 1} / {short.max() + 1}",
        "in none": float((label < 0).mean()),
        "ARI by 32": float(adjusted_rand_score(label, short)),
        "ARI of nine tenths": float(adjusted_rand_score(label[:most], fewer)),
        "two-NN dimension": two_nearest(rows, threads),
        "of a tenth": two_nearest(rows[: len(rows) // 10], threads),
    }
