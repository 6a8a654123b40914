"""Changes in the user's terms: dates, indices and vectors before and after (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.block import Changes, Scores
from terradrift.detect.calibrate import masked_median
from terradrift.detect.reference import season_distance
from terradrift.detect.score import Candidates
from terradrift.series import Series

_LEAST_SEASONAL = 3


@dataclass(frozen=True, slots=True, eq=False)
class Dates:
    """Which dates of a series count, and how candidates number them."""

    clear: NDArray[np.bool_]
    """(n, t)"""
    where: NDArray[np.int64]
    """(k,), the dates that candidates count by."""
    window_days: int
    """Half width of a season."""


def changes(series: Series, known: Dates, found: Candidates, scores: Scores) -> Changes:
    """The candidates as rows of changes."""
    row, clear = found.row, known.clear
    t = clear.shape[1]
    begin = np.append(known.where, t)
    at, end = begin[found.first], begin[found.end]
    dates = np.arange(t)
    old = clear[row] & (dates < at[:, None])
    new = clear[row] & (dates >= at[:, None]) & (dates < end[:, None])
    last = t - 1 - old[:, ::-1].argmax(axis=1)
    began, before = series.times[row, at], series.times[row, last]
    vectors = series.vectors[row]
    like = seasonal(series.days, old, new, known.window_days)
    return Changes(
        row,
        began,
        before,
        began,
        ((began - before) / np.timedelta64(1, "D")).astype(np.float32),
        scores.n_reference[row, at],
        scores.n_controls[row, at],
        scores.reference[row, at],
        scores.drift[row, at],
        scores.z[row, at],
        scores.p_value[row, at],
        found.score,
        np.where(found.lasts, "persistent", "transient"),
        _difference(series.indices[row], like, new),
        masked_median(vectors, like).astype(np.float32),
        masked_median(vectors, new).astype(np.float32),
    )


def seasonal(
    days: NDArray[np.datetime64],
    old: NDArray[np.bool_],
    new: NDArray[np.bool_],
    window_days: int,
) -> NDArray[np.bool_]:
    """The dates of `old` (m, t) in the seasons of `new` (m, t), or all where these are few.

    Summer before is compared with summer after, where the history allows it.
    """
    near = np.stack([season_distance(days, day) for day in days]) <= window_days
    covered = new @ near  # dates whose season the new state was seen in
    alike: NDArray[np.bool_] = old & covered
    return np.where((alike.sum(axis=1) >= _LEAST_SEASONAL)[:, None], alike, old)


def _difference(
    indices: NDArray[np.float32], old: NDArray[np.bool_], new: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(m, k) median of (m, t, k) indices over `new`, less that over `old`; NaN unknown."""
    known = np.isfinite(indices)
    filled = np.where(known, indices, np.float32(0))
    parts = [
        masked_median(filled[..., k], new & known[..., k])
        - masked_median(filled[..., k], old & known[..., k])
        for k in range(indices.shape[2])
    ]
    return np.stack(parts, axis=1).astype(np.float32)
