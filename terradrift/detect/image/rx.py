"""Reed-Xiaoli on pixels, in its three forms.

Reed and Yu (1990), "Adaptive multiple-band CFAR detection of an optical pattern with unknown
spectral distribution": the squared Mahalanobis distance of a pixel's spectrum to a set of
spectra. Which set makes three methods of it, whose scores differ by far more than a factor.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.image.median import Pixels, median
from terradrift.detect.image.protocol import Anomaly
from terradrift.detect.rx import mahalanobis
from terradrift.detect.rx_temporal import distance
from terradrift.stack import Stack

_CHUNK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rx:
    """Squared Mahalanobis distance of a pixel to all clear pixels of its frame's window.

    It looks at one frame, so what is always rare there is always unusual.
    """

    frame: ClassVar[bool] = True
    """A pixel's score depends on the whole window."""
    least_history: ClassVar[int] = 0
    """The first frame can be judged, too."""

    @property
    def halo_px(self) -> int:
        """None: the window is the frame."""
        return 0

    def detect(self, stack: Stack, /) -> Anomaly:
        """Judge the last frame by itself."""
        return Anomaly(reed_xiaoli(stack.pixels[-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RxDifference:
    """Reed-Xiaoli of the frame less each pixel's temporal median: its window's rare changes.

    What the whole window did, a gain or a haze, is the mean and the covariance, and is not
    unusual.
    """

    frame: ClassVar[bool] = True
    """A pixel's score depends on the whole window."""

    min_past: int = 1
    """Fewer clear frames of a pixel before than this: no score."""

    def __post_init__(self) -> None:
        if self.min_past < 1:
            raise ValueError(f"min_past must be at least 1, got {self.min_past}")

    @property
    def halo_px(self) -> int:
        """None: the window is the frame."""
        return 0

    def detect(self, stack: Stack, /) -> Anomaly:
        """Judge the difference of the last frame from the median of those before it."""
        expected = median(stack.pixels[:-1], self.min_past)
        return Anomaly(reed_xiaoli(stack.pixels[-1] - expected), expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class RxTemporal:
    """Squared Mahalanobis distance of a pixel to its own clear past.

    Frames are mostly fewer than covariances need, so the covariance is shrunk towards a
    multiple of the identity by the share that Ledoit and Wolf (2004) give for each pixel.
    """

    min_past: int = 5
    """Fewer clear frames of a pixel before than this: no score."""

    def __post_init__(self) -> None:
        if self.min_past < 2:
            raise ValueError(f"min_past must be at least 2, got {self.min_past}")

    @property
    def halo_px(self) -> int:
        """None: a pixel is compared with itself."""
        return 0

    def detect(self, stack: Stack, /) -> Anomaly:
        """Judge the last frame by the mean and covariance of those before it."""
        t, bands, *shape = stack.pixels.shape
        pixels = stack.pixels.reshape(t, bands, -1)
        known: NDArray[np.bool_] = np.asarray(np.isfinite(pixels).all(axis=1))
        able = known[-1] & (known[:-1].sum(axis=0) >= self.min_past)
        score = np.full(able.size, np.nan, np.float32)
        size = max(1, _CHUNK_BYTES // (8 * bands * (t + 3 * bands)))
        there = np.flatnonzero(able)
        for start in range(0, len(there), size):
            rows = there[start : start + size]
            part = pixels[:, :, rows].transpose(2, 0, 1).astype(np.float64)
            score[rows] = distance(part[:, -1], part[:, :-1], known[:-1, rows].T)
        return Anomaly(score.reshape(shape))


def reed_xiaoli(image: Pixels) -> NDArray[np.float32]:
    """(y, x) squared Mahalanobis distance to all known pixels of (band, y, x).

    Mean and covariance (divided by the number of pixels) of those known in every band, and
    the pseudo-inverse. NaN elsewhere, and where `mahalanobis` is.
    """
    bands, *shape = image.shape
    flat = image.reshape(bands, -1).T
    seen = np.isfinite(flat).all(axis=1)
    out = np.full(len(flat), np.nan, np.float32)
    out[seen] = mahalanobis(flat[seen])
    return out.reshape(shape)
