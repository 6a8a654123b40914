"""What changes are compared by: principal components of deltas, and of kinds of change."""

import numpy as np
from numpy.typing import NDArray


def features(
    before: NDArray[np.floating],
    delta: NDArray[np.floating],
    *,
    dimensions: int,
    state: float,
) -> NDArray[np.float32]:
    """What makes a kind of change: direction first, then the state it began from.

    A change is its delta at length 1, so that a faint and a strong change of one kind lie
    together, beside `state` times where it began: `before` less its mean, divided by its
    typical length. The first tells what happened, the second to what.

    Args:
        before: (n, d), finite.
        delta: (n, d), finite.
        dimensions: components to keep; fewer where the changes span fewer.
        state: weight of `before`, 0 or more.

    Returns:
        (n, c), c at most `dimensions`, as of `components`.
    """
    rows = unit(delta)
    if state > 0:
        centered = before.astype(np.float32)
        centered = centered - centered.mean(axis=0)
        typical = float(np.sqrt((centered**2).sum(axis=1).mean()))
        rows = np.concatenate(
            [rows, np.float32(state / (typical or 1)) * centered], axis=1
        )
    return components(rows, dimensions)


def unit(delta: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, d) rows of length 1; rows of length 0 stay, and point nowhere."""
    rows = delta.astype(np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)


def components(rows: NDArray[np.floating], dimensions: int) -> NDArray[np.float32]:
    """Reduce rows (n, d) to principal components (n, c), most variance first.

    c is from 1 to `dimensions`, less where rows span less. Signs are fixed: the largest
    weight of each component is positive.
    """
    from scipy.linalg import eigh

    rows = rows.astype(np.float32)
    if len(rows) == 0:
        return np.zeros((0, 1), np.float32)
    centered = rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    width = centered.shape[1]
    keep = min(dimensions, width, len(rows))
    covariance = np.zeros((width, width))
    for start in range(0, len(rows), 8192):
        block = centered[start : start + 8192].astype(np.float64)
        covariance += block.T @ block
    variance, axes = eigh(covariance, subset_by_index=(width - keep, width - 1))
    real = variance > 1e-10 * variance[-1]
    real[-1] = True
    axes = axes[:, real][:, ::-1]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    axes = axes * np.where(largest < 0, -1, 1)
    return np.asarray(centered @ axes.astype(np.float32))
