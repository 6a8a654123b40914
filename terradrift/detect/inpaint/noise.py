"""How unusual usual pixels get: what the threshold of rare alarms is made by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHRINK = 0.05
"""Share of the identity in the shape."""
_TAIL = 0.02
"""Share of the pixels, those farthest off, that make the shape."""
_QUANTILE = 0.99
"""Where pixels near a mask's edge are compared with all."""
_EDGES_PX = (0.0, 1.5, 2.5, 3.5, 5.0, 8.0)
"""Lower bounds of the distance to what is not clear."""
_LEAST = 200
"""Pixels below which a distance has no factor of its own."""


class Noise(NamedTuple):
    """Of residuals over their scale, in the history that is trained on."""

    shape: NDArray[np.float32]
    """(band, band), second moment of the directions of the largest ones; trace = bands."""
    edge: NDArray[np.float32]
    """(6,), how much farther off pixels are at 0, 1.5, 2.5, 3.5, 5, 8 pixels from what is not
    clear, at the same rank; at least 1."""

    def score(
        self, residual: NDArray[np.floating], clear: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(y, x) root of the mean over bands of u' shape^-1 u, over the factor of the edge.

        `residual` u (band, y, x) is over its scale, `clear` (y, x). Directions in which
        pixels used to go far for no lasting reason (missed cloud and shadow, harvest) count
        less, and so do pixels beside a mask, whose edges clouds reach across.
        """
        band, rows, cols = residual.shape
        flat = residual.reshape(band, -1).astype(np.float64)
        found = _length(flat.T, self.shape).reshape(rows, cols)
        found /= self.edge[_ring(distance(clear))]
        return found.astype(np.float32)


def distance(clear: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(y, x) pixels to the nearest that is not clear; inf where all are."""
    if clear.all():
        return np.full(clear.shape, np.inf, np.float32)
    away: NDArray[np.float32] = ndimage.distance_transform_edt(clear).astype(np.float32)
    return away


def noise(u: NDArray[np.floating], away: NDArray[np.floating]) -> Noise:
    """From residuals (n, band) over their scale and distances (n,) to what is not clear.

    The shape is that of the tail: of all pixels first, then of the `_TAIL` farthest by it,
    each counted by its direction alone, as in Tyler's estimator (1987, Annals of
    Statistics 15), so that one cloud does not set it.
    """
    u = u.astype(np.float64)
    first = _shrunk(u.T @ u)
    length = _length(u, first)
    tail = u[length >= np.quantile(length, 1 - _TAIL)]
    unit = tail / np.linalg.norm(tail, axis=1, keepdims=True).clip(1e-9)
    shape = _shrunk(unit.T @ unit)
    length = _length(u, shape)
    usual = max(np.quantile(length, _QUANTILE), 1e-9)
    ring = _ring(away)
    edge = np.ones(len(_EDGES_PX))
    for number in range(len(edge)):
        here = length[ring == number]
        if len(here) >= _LEAST:
            edge[number] = max(1.0, np.quantile(here, _QUANTILE) / usual)
    return Noise(shape.astype(np.float32), edge.astype(np.float32))


def plain(bands: int) -> Noise:
    """Bands that do not go together, edges as good as the rest."""
    return Noise(
        np.eye(bands, dtype=np.float32), np.ones(len(_EDGES_PX), dtype=np.float32)
    )


def _ring(away: NDArray[np.floating]) -> NDArray[np.intp]:
    return np.digitize(away, _EDGES_PX[1:])


def _shrunk(moment: NDArray[np.float64]) -> NDArray[np.float64]:
    bands = len(moment)
    scaled = moment * (bands / max(float(np.trace(moment)), 1e-12))
    return (1 - _SHRINK) * scaled + _SHRINK * np.eye(bands)


def _length(
    u: NDArray[np.floating], shape: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(n,) root of the mean over bands of u' shape^-1 u, of (n, band)."""
    # One triangular product, never n x n.
    root = np.linalg.cholesky(np.linalg.inv(shape.astype(np.float64)))
    length: NDArray[np.float64] = np.sqrt(((u @ root) ** 2).mean(axis=1))
    return length
