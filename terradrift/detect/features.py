"""What changes are compared by: principal components of deltas, and of kinds of change."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WIDE = 512
"""Columns above which a few components are found one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """How features of changes (n, d) are made, so that others can be made alike."""

    state: NDArray[np.float32]
    """(d,), the mean state before; empty where it has no weight."""
    weight: np.float32
    """Of the state before less its mean, over its typical length."""
    mean: NDArray[np.float32]
    """(w,), mean of directions, and of states where these have a weight."""
    axes: NDArray[np.float32]
    """(w, c)."""

    @property
    def dimensions(self) -> int:
        """Length d of the vectors that it takes."""
        return len(self.mean) - len(self.state)

    def of(
        self, before: NDArray[np.floating], delta: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Features (n, c) of changes, each by itself.

        Raises:
            ValueError: vectors of another length.
        """
        if delta.shape[1:] != (self.dimensions,) or before.shape != delta.shape:
            raise ValueError(
                f"expected vectors of {self.dimensions} numbers, got "
                f"{before.shape[1:]} before and {delta.shape[1:]} of differences"
            )
        rows = unit(delta)
        if len(self.state):
            states = self.weight * (before.astype(np.float32) - self.state)
            rows = np.concatenate([rows, states], axis=1)
        return np.asarray((rows - self.mean) @ self.axes)


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
    return basis(before, delta, dimensions=dimensions, state=state).of(before, delta)


def basis(
    before: NDArray[np.floating],
    delta: NDArray[np.floating],
    *,
    dimensions: int,
    state: float,
) -> Basis:
    """Find what `features` of these and of other changes are made by; arguments as there."""
    rows = unit(delta)
    middle, weight = np.zeros(0, np.float32), np.float32(0)
    if state > 0 and len(rows):
        states = before.astype(np.float32)
        middle = states.mean(axis=0)
        states = states - middle
        typical = float(np.sqrt((states**2).sum(axis=1).mean()))
        weight = np.float32(state / (typical or 1))
        rows = np.concatenate([rows, weight * states], axis=1)
    mean, axes = _principal(rows, dimensions)
    return Basis(middle, weight, mean, axes)


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
    mean, axes = _principal(rows, dimensions)
    return np.asarray((rows.astype(np.float32) - mean) @ axes)


def _principal(
    rows: NDArray[np.floating], dimensions: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (w,) and axes (w, c) of rows (n, w)."""
    rows = rows.astype(np.float32)
    width = rows.shape[1]
    if len(rows) == 0:
        return np.zeros(width, np.float32), np.zeros((width, 1), np.float32)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    centered = rows - mean
    keep = min(dimensions, width, len(rows))
    if len(rows) < width:
        variance, axes = _of_few(centered, keep)
    else:
        variance, axes = _largest(_covariance(centered), keep)
    real = variance > 1e-10 * variance[-1]
    real[-1] = True
    axes = axes[:, real][:, ::-1]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    axes = axes * np.where(largest < 0, -1, 1)
    return mean, axes.astype(np.float32)


def _covariance(centered: NDArray[np.float32]) -> NDArray[np.float64]:
    width = centered.shape[1]
    covariance = np.zeros((width, width))
    for start in range(0, len(centered), 8192):
        block = centered[start : start + 8192].astype(np.float64)
        covariance += block.T @ block
    return covariance


def _of_few(
    centered: NDArray[np.float32], keep: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances, ascending, and axes (w, keep) of fewer rows than columns.

    The eigenvectors of the products of rows, which are fewer, give the same axes.
    """
    block = centered.astype(np.float64)
    variance, weights = _largest(block @ block.T, keep)
    axes = block.T @ weights
    length = np.linalg.norm(axes, axis=0)
    return variance, axes / np.where(length > 0, length, 1)


def _largest(
    symmetric: NDArray[np.float64], keep: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The `keep` largest eigenvalues, ascending, and their vectors."""
    from scipy.linalg import eigh
    from scipy.sparse.linalg import eigsh

    width = len(symmetric)
    if not symmetric.any():
        return np.zeros(keep), np.eye(width, keep)
    if width > _WIDE and keep * 8 < width:
        # A few of many: by Lanczos, begun alike every time.
        variance, axes = eigsh(symmetric, keep, which="LA", v0=np.ones(width))
        order = np.argsort(variance)
        return variance[order], axes[:, order]
    variance, axes = eigh(symmetric, subset_by_index=(width - keep, width - 1))
    return variance, axes
