"""Reed-Xiaoli in time: how unusual an observation is in its own history (pure)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.median import complete, observed

_CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RxTemporal:
    """The detector `rx-temporal`: squared Mahalanobis distance to the own past.

    Mean and covariance of the patch's earlier clear observations. These are mostly fewer
    than the bands, so the covariance is shrunk towards a multiple of the identity by the
    share that Ledoit and Wolf (2004) give for the data at hand.
    """

    reads: ClassVar[str] = "bands"

    min_past: int = 5
    """Fewer earlier clear observations than this: no score."""

    def __post_init__(self) -> None:
        if self.min_past < 2:
            raise ValueError(f"min_past must be at least 2, got {self.min_past}")

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), NaN also where the past has no spread."""
        values = observed(days, vectors, clear)
        known = complete(values)
        n, t, d = values.shape
        out = np.full((n, t), np.nan, np.float32)
        size = max(1, _CHUNK_BYTES // max(8 * d * (t + 3 * d), 1))
        for k in range(0, n if d else 0, size):
            here = slice(k, k + size)
            for at in range(self.min_past, t):
                past = known[here, :at]
                enough = past.sum(axis=1) >= self.min_past
                rows = np.flatnonzero(enough & known[here, at])
                if len(rows):
                    before = values[here][rows, :at].astype(np.float64)
                    now = values[here][rows, at].astype(np.float64)
                    out[k + rows, at] = distance(now, before, past[rows])
        return out


def distance(
    now: NDArray[np.float64], past: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(m,) of (m, d) rows, their pasts (m, p, d) and which of these are known (m, p).

    NaN where the past has no spread.
    """
    count = known.sum(axis=1)
    past = np.where(known[..., None], past, 0)
    mean = past.sum(axis=1) / count[:, None]
    centered = np.where(known[..., None], past - mean[:, None], 0)
    covariance, flat = shrunk(centered, count)
    away = now - mean
    covariance[flat] = np.eye(now.shape[1])
    solved = np.linalg.solve(covariance, away[..., None])[..., 0]
    found = np.einsum("md,md->m", away, solved)
    return np.where(flat, np.nan, found)


def shrunk(
    centered: NDArray[np.float64], count: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Covariances of `m` histories, shrunk as Ledoit and Wolf do.

    Args:
        centered: (m, p, d), observations less their mean, zeros beyond `count`.
        count: (m,), how many of the p are observations.

    Returns:
        (m, d, d) covariances, divided by the count, and (m,), where nothing varies, so
        that there is none.
    """
    d = centered.shape[2]
    sample = centered.transpose(0, 2, 1) @ centered / count[:, None, None]
    level = np.trace(sample, axis1=1, axis2=2) / d
    eye = np.eye(d)
    apart = ((sample - level[:, None, None] * eye) ** 2).sum(axis=(1, 2))
    lengths = (centered**2).sum(axis=2)  # of each observation, squared
    scatter = (lengths**2).sum(axis=1) / count - (sample**2).sum(axis=(1, 2))
    share = np.ones(len(centered))
    np.divide(scatter / count, apart, out=share, where=apart > 0)
    share = np.clip(share, 0, 1)[:, None, None]
    mixed = (1 - share) * sample + share * level[:, None, None] * eye
    # A share of 0 would leave a singular sample as it is: rounding decides then.
    tiny = 1e-9 * level[:, None, None] * eye
    return mixed + tiny, level <= 0
