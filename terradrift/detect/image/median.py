"""The temporal median on pixels: what was usual at a place, and how far the frame is from it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.calibrate import MAD_TO_SIGMA
from terradrift.detect.image.protocol import Anomaly
from terradrift.stack import Stack

Pixels = NDArray[np.float32]

_CHUNK_BYTES = 4 << 20
"""Of sorted pixels: what a core's cache holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalMedian:
    """Mean over bands of |x - median of the pixel's clear past|, in reflectance.

    With `robust` each band's difference is divided by its spread in the past, 1.4826 times
    the median absolute deviation, plus `floor` times that band's median spread in the
    window, so that a past of equal values does not make everything else infinite.
    """

    robust: bool = False
    floor: float = 0.3
    min_past: int = 1
    """Fewer clear frames of a pixel before than this: no score. `robust` needs some more."""

    def __post_init__(self) -> None:
        if self.min_past < 1:
            raise ValueError(f"min_past must be at least 1, got {self.min_past}")
        if self.floor < 0:
            raise ValueError(f"floor must not be negative, got {self.floor}")

    @property
    def halo_px(self) -> int:
        """None: a pixel is compared with itself."""
        return 0

    def detect(self, stack: Stack, /) -> Anomaly:
        """Judge the last frame by all frames before it."""
        past, now = stack.pixels[:-1], stack.pixels[-1]
        expected = median(past, self.min_past)
        away = np.abs(now - expected)
        if not self.robust:
            return Anomaly(away.mean(axis=0), expected)
        spread = MAD_TO_SIGMA * deviation(past, expected)
        known = [band[np.isfinite(band)] for band in spread]
        usual = [np.median(band) if band.size else np.nan for band in known]
        scale = (spread + self.floor * np.array(usual)[:, None, None]).astype(
            np.float32
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            score = np.where(scale > 0, away / scale, np.float32(np.nan)).mean(axis=0)
        return Anomaly(score, expected, scale)


def median(history: Pixels, least: int = 1) -> Pixels:
    """(band, y, x) median over the frames of (t, band, y, x) where at least `least` are known.

    NaN elsewhere. The mean of the middle two where the number is even.
    """
    return _over_time(history, least)


def deviation(history: Pixels, middle: Pixels) -> Pixels:
    """(band, y, x) median over the frames of |history - middle|, NaN where not known."""
    flat = middle.reshape(-1)

    def away(part: Pixels, columns: slice) -> None:
        part -= flat[columns, None]
        np.abs(part, out=part)

    return _over_time(history, 1, away)


def _over_time(
    history: Pixels,
    least: int,
    change: Callable[[Pixels, slice], None] | None = None,
) -> Pixels:
    """Median over the first axis; `change` may alter columns (m, t) before they are sorted."""
    t, *shape = history.shape
    flat = history.reshape(t, int(np.prod(shape)))
    out = np.full(flat.shape[1], np.nan, np.float32)
    if t == 0:
        return out.reshape(shape)
    size = max(1, _CHUNK_BYTES // (4 * t))
    for start in range(0, flat.shape[1], size):
        columns = slice(start, start + size)
        # Sorting along rows in memory is two to three times as quick as along columns.
        part = np.ascontiguousarray(flat[:, columns].T)
        if change is not None:
            change(part, columns)
        part.sort(axis=1)  # NaN last
        count = np.isfinite(part).sum(axis=1)
        each = np.arange(len(part))
        low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, t - 1)
        middle = (part[each, low] + part[each, high]) / 2
        out[columns] = np.where(count >= max(least, 1), middle, np.float32(np.nan))
    return out.reshape(shape)
