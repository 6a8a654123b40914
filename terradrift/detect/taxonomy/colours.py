"""Paths as colours: three principal components of whole paths as red, green and blue (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST = 2048
"""Paths that components are taken from: their Gram matrix is in memory."""
_ENDS = (2.0, 98.0)
"""Percentiles that become no colour and full colour."""


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """From paths (n, s, r) to colours (n, 3), 0..1."""

    mean: NDArray[np.float64]
    """(s * r,)"""
    axes: NDArray[np.float64]
    """(s * r, 3), orthonormal; columns of zeros where paths fill fewer directions."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """(3,), components that become 0 and 1."""
    explained: float
    """0..1, share of the variance of the paths."""

    def of(self, paths: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 3) colours of paths that are known at every step."""
        found = (paths.reshape(len(paths), -1) - self.mean) @ self.axes
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        shade: NDArray[np.float64] = np.clip((found - self.low) / span, 0, 1)
        return shade


def fit(paths: NDArray[np.floating]) -> Colours:
    """Three components of paths (n, s, r) that are known at every step, each with a fixed sign.

    Raises:
        ValueError: no path.
    """
    if len(paths) == 0:
        raise ValueError("colours take a path that is known at every step, got none")
    some = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _MOST)).astype(int))
    flat = paths[some].reshape(len(some), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    centred = flat - mean
    # Paths are longer than many: the eigenvectors of the Gram matrix give the same axes.
    values, vectors = np.linalg.eigh(centred @ centred.T)
    total = float(values.clip(0).sum())
    axes = np.zeros((flat.shape[1], 3))
    shares = 0.0
    for at in range(min(3, len(values))):
        value = float(values[-1 - at])
        if total <= 0 or value <= 1e-12 * total:
            break
        axis = centred.T @ vectors[:, -1 - at] / np.sqrt(value)
        axes[:, at] = axis * np.sign(axis[np.abs(axis).argmax()])
        shares += value / total
    low, high = np.percentile(centred @ axes, _ENDS, axis=0)
    return Colours(mean, axes, low, high, shares)
