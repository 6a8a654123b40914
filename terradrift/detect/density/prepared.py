"""Points as the search wants them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEP = 8
"""Dimensions are a multiple of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The same points, up to the unit of length."""

    rows: NDArray[np.float32]
    """(n, d), d a multiple of 8: the dimensions by variance, largest first, then zeros;
    no value beyond 1 either way, so that no square is beyond float32."""
    unit: float
    """What a distance of 1 is, in the unit of the points; a power of two."""


def prepared(points: NDArray[np.floating]) -> Prepared:
    """Check and scale points (n, d).

    Raises:
        ValueError: not rows, or values that are not finite.
    """
    if points.ndim != 2:
        raise ValueError(f"points must be rows (n, d), got shape {points.shape}")
    points = np.asarray(points, np.float32)
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points)).any(axis=1).sum())
        raise ValueError(
            f"points must be finite, got {bad} rows with NaN or infinity; leave them out"
        )
    n, d = points.shape
    exponent = int(np.frexp(np.abs(points).max(initial=0))[1])
    scaled = np.ldexp(points, -exponent)
    # Sums that grow fast are given up soonest.
    spread = scaled.var(axis=0, dtype=np.float64) if n else np.zeros(d)
    order = np.argsort(-spread, kind="stable")
    rows = np.zeros((n, max(1, -(-d // _STEP)) * _STEP), np.float32)
    rows[:, :d] = scaled[:, order]
    return Prepared(rows, float(np.ldexp(1.0, exponent)))
