"""The baselines that work on pixels (pure): temporal median and Reed-Xiaoli.

Reed and Yu (1990), "Adaptive multiple-band CFAR detection of an optical pattern with unknown
spectral distribution": the squared Mahalanobis distance of a pixel to all of the image.
Which image makes three methods of it: the frame itself, or its difference from the temporal
median.
"""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


def median(history: Pixels) -> Pixels:
    """(band, y, x) median over the dates of (t, band, y, x), NaN where never clear."""
    ordered = np.sort(history, axis=0)  # NaN last
    count = np.isfinite(history).sum(axis=0)
    low, high = (
        np.maximum((count - 1) // 2, 0),
        np.minimum(count // 2, len(history) - 1),
    )
    middle = np.take_along_axis(ordered, low[None], 0)[0]
    middle = (middle + np.take_along_axis(ordered, high[None], 0)[0]) / 2
    return np.where(count > 0, middle, np.float32(np.nan))


def temporal_median(difference: Pixels) -> Pixels:
    """(y, x) mean over bands of |x - temporal median|, from that difference (band, y, x)."""
    away: Pixels = np.abs(difference).mean(axis=0)
    return away


def reed_xiaoli(image: Pixels) -> Pixels:
    """(y, x) squared Mahalanobis distance to all clear pixels of (band, y, x); NaN unclear."""
    band, rows, cols = image.shape
    flat = image.reshape(band, -1).T.astype(np.float64)
    seen = np.isfinite(flat).all(axis=1)
    out = np.full(len(flat), np.nan, np.float32)
    if seen.sum() > band:
        centred = flat[seen] - flat[seen].mean(axis=0)
        inverse = np.linalg.pinv(centred.T @ centred / len(centred), hermitian=True)
        out[seen] = np.einsum("nb,bc,nc->n", centred, inverse, centred)
    return out.reshape(rows, cols)


def scores(history: Pixels, now: Pixels) -> dict[str, Pixels]:
    """(y, x) of each pixel baseline, the larger the more unusual; NaN where it abstains."""
    difference = now - median(history)
    return {
        "temporal median": temporal_median(difference),
        "Reed-Xiaoli": reed_xiaoli(now),
        "Reed-Xiaoli of the difference": reed_xiaoli(difference),
    }


def pooled(score: Pixels, side: int) -> Pixels:
    """(rows, cols) mean of the known pixels of each square of `side` pixels, NaN without."""
    rows, cols = score.shape
    parts = score.reshape(rows // side, side, cols // side, side)
    known = np.isfinite(parts)
    total = np.where(known, parts, 0).sum(axis=(1, 3))
    count = known.sum(axis=(1, 3))
    out = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=out, where=count > 0)
    return out
