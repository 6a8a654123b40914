"""The series that look most like a path: of a regime, or anywhere (pure)."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4096
"""Series compared at once."""


def distances_to(
    paths: NDArray[np.floating],
    known: NDArray[np.bool_],
    path: NDArray[np.floating],
) -> NDArray[np.float64]:
    """(n,) mean over the dates seen of |x_t - path_t|; NaN where never seen.

    Args:
        paths: (n, t, d).
        known: (n, t), where a series was seen.
        path: (t, d).

    Raises:
        ValueError: shapes that do not fit.
    """
    if paths.shape[1:] != path.shape or paths.shape[:2] != known.shape:
        raise ValueError(
            "expected paths (n, t, d), known (n, t) and a path (t, d), got "
            f"{paths.shape}, {known.shape} and {path.shape}"
        )
    found = np.full(len(paths), np.nan)
    for start in range(0, len(paths), _BLOCK):
        part = slice(start, start + _BLOCK)
        seen = known[part]
        apart = np.linalg.norm(paths[part].astype(np.float32) - path, axis=2)
        count = seen.sum(axis=1)
        total = np.where(seen, apart, 0.0).sum(axis=1, dtype=np.float64)
        np.divide(total, count, out=found[part], where=count > 0)
    return found


def representatives(
    paths: NDArray[np.floating],
    known: NDArray[np.bool_],
    labels: NDArray[np.integer],
    centroids: NDArray[np.floating],
    count: int = 3,
) -> list[NDArray[np.int64]]:
    """Of each regime up to `count` members, the nearest to its centroid path first.

    Args:
        paths: (n, t, d).
        known: (n, t).
        labels: (n,), regime of each series, 0 .. k - 1; below 0: in none.
        centroids: (k, t, d).
        count: at least 1.

    Returns:
        k arrays of rows; equal distances in order of rows.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    found = []
    for number, path in enumerate(centroids):
        rows = np.flatnonzero((labels == number) & known.any(axis=1))
        apart = distances_to(paths[rows], known[rows], path)
        found.append(rows[np.argsort(apart, kind="stable")[:count]])
    return found
