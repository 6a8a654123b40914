"""From raw scores to scores that mean the same everywhere (pure)."""

import numpy as np
from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution, inverted."""


def median_and_spread(
    values: NDArray[np.floating], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and robust standard deviation of the valid values of each row (n, k).

    NaN where a row has no valid value.
    """
    median = masked_median(values, valid)
    spread = masked_median(np.abs(values - median[:, None]), valid)
    return median, MAD_TO_SIGMA * spread


def masked_median(
    values: NDArray[np.floating], valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Median over axis 1 of the valid entries of (n, k, ...), NaN where there is none.

    `valid` is (n, k). Equals `np.nanmedian`, without its cost per slice.
    """
    shape = valid.shape + (1,) * (values.ndim - 2)
    ordered = np.sort(np.where(valid.reshape(shape), values, np.inf), axis=1)
    count = valid.sum(axis=1)
    low = np.maximum((count - 1) // 2, 0).reshape(-1, 1, *shape[2:])
    high = np.minimum(count // 2, valid.shape[1] - 1).reshape(-1, 1, *shape[2:])
    middle = np.take_along_axis(ordered, low, 1) + np.take_along_axis(ordered, high, 1)
    median: NDArray[np.float64] = 0.5 * middle[:, 0].astype(np.float64)
    median[count == 0] = np.nan
    return median


def robust_z(
    score: NDArray[np.floating],
    calibration: NDArray[np.floating],
    valid: NDArray[np.bool_],
    floor: NDArray[np.floating] | float,
) -> NDArray[np.float64]:
    """(n,) score against its calibration scores (n, k) in robust standard deviations.

    `floor` is added to the spread, so that a handful of equal calibration scores does not
    make everything else infinitely unlikely.
    """
    median, spread = median_and_spread(calibration, valid)
    z: NDArray[np.float64] = (score - median) / (spread + floor)
    return z


def empirical_p(
    score: NDArray[np.floating],
    calibration: NDArray[np.floating],
    valid: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(n,) share of calibration scores at least as large, counting the score itself.

    Never 0: with k calibration scores the smallest value is 1 / (k + 1). NaN without any.
    """
    count = valid.sum(axis=1)
    at_least = ((calibration >= score[:, None]) & valid).sum(axis=1)
    p = (1.0 + at_least) / (1.0 + count)
    return np.where((count > 0) & np.isfinite(score), p, np.nan)


def ewma(z: NDArray[np.floating], weight: float) -> NDArray[np.float32]:
    """(n, t) moving average (1 - weight) previous + weight z, from 0 on (Roberts 1959).

    NaN where z is, and passed over. For independent z of variance 1 its standard deviation
    tends to sqrt(weight / (2 - weight)).
    """
    out = np.full(z.shape, np.nan, np.float32)
    level = np.zeros(len(z))
    for at in range(z.shape[1]):
        seen = np.isfinite(z[:, at])
        level[seen] += weight * (z[seen, at] - level[seen])
        out[seen, at] = level[seen]
    return out
