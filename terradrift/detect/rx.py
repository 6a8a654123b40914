"""Reed-Xiaoli: how unusual a patch is among the patches of the same date (pure).

Reed and Yu 1990. Three detectors go by this name and differ by far more than a constant, so
each has its own: `rx` of the vectors, `rx-difference` of their change, and `rx-temporal`
against the own history (`rx_temporal`).

The scene is what `detect` is given: all patches of one archive where they are handed over
together, as `terradrift bench` does, or one block of one tile otherwise. Later dates are not
read; other patches of the same date are.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.median import complete, observed, past_median
from terradrift.detect.previous import before

_RANK = 1e-12
"""Least variance along an axis, as a share of the largest, that is not rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rx:
    """The detector `rx`: squared Mahalanobis distance over the patches of each date.

    Mean and covariance (divided by the number of patches) of the date, pseudo-inverse. A
    patch is scored from its second clear date on, as one date shows no change.
    """

    reads: ClassVar[str] = "bands"
    scene: ClassVar[bool] = True
    """Wants the patches of a scene together."""

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), NaN also where `mahalanobis` is."""
        values = observed(days, vectors, clear)
        scores = _per_date(values)
        seen_before = before(complete(values)) >= 0
        return np.where(seen_before, scores, np.float32(np.nan))


@dataclass(frozen=True, slots=True, kw_only=True)
class RxDifference:
    """The detector `rx-difference`: `rx` of each vector less the median of its past."""

    reads: ClassVar[str] = "bands"
    scene: ClassVar[bool] = True
    """Wants the patches of a scene together."""

    min_past: int = 1
    """Fewer earlier clear observations than this: no score."""

    def __post_init__(self) -> None:
        if self.min_past < 1:
            raise ValueError(f"min_past must be at least 1, got {self.min_past}")

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), NaN also where `mahalanobis` is."""
        values = observed(days, vectors, clear)
        return _per_date(values - past_median(values, self.min_past))


def _per_date(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, t) of (n, t, d), each date by itself; NaN where a value is not known."""
    out = np.full(values.shape[:2], np.nan, np.float32)
    for at in range(values.shape[1]):
        rows = np.flatnonzero(np.isfinite(values[:, at]).all(axis=1))
        out[rows, at] = mahalanobis(values[rows, at])
    return out


def mahalanobis(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) squared Mahalanobis distance of each row (n, d) to the mean of all.

    NaN where nothing varies, and where rows are fewer than the axes along which they vary
    plus two: all distances are equal then, whatever the rows are.
    """
    n, d = rows.shape
    nothing = np.full(n, np.nan)
    if n < 3 or d == 0:
        return nothing
    centered = rows.astype(np.float64)
    centered -= centered.mean(axis=0)
    variance, axes = np.linalg.eigh(centered.T @ centered / n)
    real = variance > _RANK * variance[-1]
    if variance[-1] <= 0 or n < real.sum() + 2:
        return nothing
    along = centered @ axes[:, real]
    return np.asarray((along**2 / variance[real]).sum(axis=1))
