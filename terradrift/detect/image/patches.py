"""Scores of pixels to one score per patch (pure)."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


def squares(score: Scores, side: int) -> Scores:
    """(rows, cols, side * side): the pixels of each square of a (y, x) map of whole squares."""
    rows, cols = (length // side for length in score.shape)
    parts = score.reshape(rows, side, cols, side).transpose(0, 2, 1, 3)
    return parts.reshape(rows, cols, side * side)


def mean(score: Scores, side: int) -> Scores:
    """(rows, cols) mean of the known pixels of each square of `side` pixels, NaN without."""
    parts = squares(score, side)
    known = np.isfinite(parts)
    count = known.sum(axis=2)
    out = np.full(count.shape, np.nan, np.float32)
    total = np.where(known, parts, 0).sum(axis=2)
    np.divide(total, count, out=out, where=count > 0)
    return out


def upper_mean(score: Scores, side: int, share: float) -> Scores:
    """(rows, cols) mean of the highest `share` of the known pixels of each square.

    At least one pixel; NaN where none is known. The whole mean drowns what is smaller than a
    patch, the maximum is one pixel's noise; between them this is sure of `share` of a patch.
    """
    parts = np.sort(-squares(score, side), axis=2)  # NaN last
    count = np.isfinite(parts).sum(axis=2)
    top = np.ceil(share * count)
    inside = np.arange(parts.shape[2]) < top[..., None]
    total = np.where(inside, parts, 0).sum(axis=2)
    out = np.full(count.shape, np.nan, np.float32)
    np.divide(-total, top, out=out, where=top > 0, casting="same_kind")
    return out
