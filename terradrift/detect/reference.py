"""Which past observations a date is judged against (pure).

A patch's own reference on a date are its clear observations of the same season in earlier
years and weeks, never the date itself, nothing within the guard gap before it, and never
the future. Where the season is not covered yet, it is the last clear observations.
"""

import numpy as np
from numpy.typing import NDArray

YEAR_DAYS = 365.2425
NONE, SEASON, RECENT = 0, 1, 2
"""Kinds of own reference."""


def season_distance(
    days: NDArray[np.datetime64], day: np.datetime64
) -> NDArray[np.float64]:
    """Circular distance in days of year between each of `days` (t,) and `day`, 0..183."""
    apart = (days - day) / np.timedelta64(1, "D")
    folded: NDArray[np.float64] = np.abs(
        (apart + YEAR_DAYS / 2) % YEAR_DAYS - YEAR_DAYS / 2
    )
    return folded


def members(
    days: NDArray[np.datetime64],
    clear: NDArray[np.bool_],
    at: int,
    *,
    window_days: int,
    guard_days: int,
    least: int,
    most: int,
    earlier_years: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """The reference of date number `at` for every patch.

    `days` is (t,) ascending, `clear` (n, t). Returns indices (n, most) into the dates, most
    recent first and -1 where there are fewer, and the kind (n,): `SEASON` where at least
    `least` season-matched observations exist, otherwise `RECENT`, or `NONE` without a past.
    With `earlier_years`, those of this season's own weeks are not season-matched.
    """
    n = len(clear)
    gap = (days[at] - days) / np.timedelta64(1, "D")
    past = clear & (gap > 0)[None, :]
    guarded = past & (gap >= guard_days)[None, :]
    # The guard keeps a slow change out of its own reference; a past that is younger than
    # the guard is still better than none.
    past = np.where(guarded.any(axis=1, keepdims=True), guarded, past)
    season = past & (season_distance(days, days[at]) <= window_days)[None, :]
    if earlier_years:
        season &= (gap >= YEAR_DAYS / 2)[None, :]
    seasonal = season.sum(axis=1) >= least
    chosen = np.where(seasonal[:, None], season, past)
    rank = np.cumsum(chosen[:, ::-1], axis=1)[:, ::-1]  # 1 = most recent
    out = np.full((n, most), -1, np.int64)
    row, col = np.nonzero(chosen & (rank <= most))
    out[row, rank[row, col] - 1] = col
    kind = np.where(out[:, 0] < 0, NONE, np.where(seasonal, SEASON, RECENT))
    return out, kind.astype(np.int8)
