"""Changes in the user's terms: dates, indices and vectors before and after (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.block import Changes, Patches, Scores
from terradrift.detect.calibrate import masked_median
from terradrift.detect.calibration import Calibration
from terradrift.detect.reference import season_distance
from terradrift.detect.whole import Candidates, Judged
from terradrift.series import Series

_LEAST_SEASONAL = 3
CONTROLS = 10
"""Analogues that a change names."""


@dataclass(frozen=True, slots=True, eq=False)
class Dates:
    """Which dates of a series count, and how candidates number them."""

    clear: NDArray[np.bool_]
    """(n, t)"""
    where: NDArray[np.int64]
    """(k,), the dates that candidates count by."""
    window_days: int
    """Half width of a season."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What is known of `m` candidates beside their place in time."""

    p_value: NDArray[np.floating]
    """(m,)"""
    false_alarms: NDArray[np.floating]
    """(m,)"""
    controls: NDArray[np.str_]
    """(m, 10), ids of the nearest analogues on the onset."""


def patches(
    series: Series,
    known: Dates,
    judged: Judged,
    calibration: Calibration,
    alarms: NDArray[np.float64],
) -> Patches:
    """The strongest candidate of every patch, reported or not."""
    n = len(series)
    n_clear = known.clear.sum(axis=1).astype(np.int32)
    found = np.isfinite(judged.score)
    p = calibration.p_value(judged.score)
    onset = np.full(n, np.datetime64("NaT", "us"))
    onset[found] = series.times[found, known.where[judged.first[found]]]
    reason = np.full(n, "", "U32")
    reason[~found] = "no split of its dates"
    reason[~found & (n_clear < 2 * calibration.settings.min_segment)] = (
        "too few clear dates"
    )
    reason[~found & (n_clear == 0)] = "not clear enough"
    return Patches(
        n_clear,
        judged.score,
        p.astype(np.float32),
        (p * alarms).astype(np.float32),
        onset,
        judged.persistence,
        reason,
    )


def changes(
    series: Series,
    known: Dates,
    found: Candidates,
    scores: Scores,
    calibrated: Calibrated,
) -> Changes:
    """The candidates as rows of changes."""
    row, clear = found.row, known.clear
    t = clear.shape[1]
    begin = np.append(known.where, t)
    start, at, end = begin[found.begin], begin[found.first], begin[found.end]
    dates = np.arange(t)
    old = clear[row] & (dates >= start[:, None]) & (dates < at[:, None])
    new = clear[row] & (dates >= at[:, None]) & (dates < end[:, None])
    last = t - 1 - old[:, ::-1].argmax(axis=1)
    began, before = series.times[row, at], series.times[row, last]
    vectors = series.vectors[row]
    like = seasonal(series.days, old, new, known.window_days)
    return Changes(
        row,
        found.number,
        began,
        series.times[row, begin[found.early]],
        series.times[row, begin[found.late]],
        _ended(series, clear[row], found, end),
        before,
        began,
        ((began - before) / np.timedelta64(1, "D")).astype(np.float32),
        scores.n_reference[row, at],
        scores.n_controls[row, at],
        calibrated.controls,
        scores.reference[row, at],
        scores.drift[row, at],
        scores.z[row, at],
        calibrated.p_value.astype(np.float32),
        calibrated.false_alarms.astype(np.float32),
        found.score,
        found.persistence,
        _difference(series.indices[row], like, new),
        masked_median(vectors, like).astype(np.float32),
        masked_median(vectors, new).astype(np.float32),
    )


def _ended(
    series: Series,
    clear: NDArray[np.bool_],
    found: Candidates,
    end: NDArray[np.int64],
) -> NDArray[np.datetime64]:
    """(m,) the first clear observation from `end` (m,) on, of what came and went."""
    later = clear & (np.arange(clear.shape[1]) >= end[:, None])
    back = (found.persistence == "transient") & later.any(axis=1)
    never = np.datetime64("NaT", "us")
    if clear.shape[1] == 0:
        return np.full(len(end), never)
    return np.where(back, series.times[found.row, later.argmax(axis=1)], never)


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
