"""k-means of points, and of paths by the principal components of whole paths (pure).

Lloyd's iteration from k-means++ seeds, the best of a few, by scikit-learn. All series have
the same steps, so the Euclidean k-means of series is that of their concatenation; its
leading components hold what differs and are far fewer.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.features import components

RESTARTS = 4
_ROUNDS = 100
_MANY = 4
"""Times the components that are wanted, from which on all others are not worth finding."""


def kmeans(
    points: NDArray[np.floating], k: int, *, seed: int = 0, restarts: int = RESTARTS
) -> NDArray[np.int64]:
    """Cluster points (n, d) into `k`: the label of each, (n,), 0 .. k - 1.

    The same for the same points in the same order and the same seed. Where fewer than `k`
    points differ there are fewer clusters. The caller limits threads (`threads.single_blas`).

    Raises:
        ValueError: fewer points than clusters, or `k` below 1.
    """
    from sklearn.cluster import KMeans

    if not 1 <= k <= len(points):
        raise ValueError(f"k must be 1 to the {len(points)} points, got {k}")
    rows = np.ascontiguousarray(points, np.float32)
    distinct = len(np.unique(rows, axis=0)) if k > 1 else 1
    if min(k, distinct) == 1:
        return np.zeros(len(rows), np.int64)
    model = KMeans(
        min(k, distinct), n_init=restarts, max_iter=_ROUNDS, random_state=seed
    )
    return np.asarray(model.fit_predict(rows), np.int64)


def flat(paths: NDArray[np.floating], dimensions: int) -> NDArray[np.float32]:
    """Leading components (n, c) of paths (n, s, r) taken as one vector each.

    As of `features.components`; where few of many are wanted, by random projections
    (Halko, Martinsson and Tropp 2011), always the same ones.
    """
    from sklearn.utils.extmath import randomized_svd

    rows = np.asarray(paths.reshape(len(paths), -1), np.float32)
    if min(rows.shape) < _MANY * dimensions:
        return components(rows, dimensions)
    centered = rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    _, scale, axes = randomized_svd(
        centered, dimensions, n_oversamples=8, n_iter=3, random_state=0
    )
    axes = axes[scale**2 > 1e-10 * max(float(scale[0]) ** 2, 1e-30)]
    if not len(axes):
        return np.zeros((len(rows), 1), np.float32)
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    axes *= np.where(largest < 0, -1, 1)[:, None]
    return np.asarray(centered @ axes.T, np.float32)
