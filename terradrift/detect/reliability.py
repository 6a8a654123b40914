"""Are p-values what they say? The share below each level, on ground that did not change (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALPHAS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
SEASONS = ("December-February", "March-May", "June-August", "September-November")
_NORMAL = 1.959964
"""Standard deviations to either side of a normal mean that hold 95 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """What share of p-values is at most each level; calibrated where it equals the level."""

    alphas: NDArray[np.float64]
    """(a,), levels."""
    share: NDArray[np.float64]
    """(a,), of the p-values, NaN where there are none."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """(a,), 95 % interval."""
    count: int
    """p-values."""


def reliability(
    p: NDArray[np.floating],
    ground: NDArray[np.int64],
    alphas: Sequence[float] = ALPHAS,
) -> Reliability:
    """Compare p-values (n, t) of unchanged frames with the levels `alphas`.

    Frames of one date share its weather, and frames of one block of ground its habits, so
    the interval is that of a mean under clusters in both ways: variance by dates plus that
    by blocks less that of single frames, no less than either (Cameron, Gelbach & Miller
    2011). `ground` (n,) numbers the blocks; NaN does not count.
    """
    row, date = np.nonzero(np.isfinite(p))
    values, count = p[row, date], len(row)
    levels = np.asarray(alphas, np.float64)
    share, half = np.full((2, len(levels)), np.nan)
    for k, level in enumerate(levels if count else ()):
        hit = (values <= level).astype(np.float64)
        share[k] = hit.mean()
        away = hit - share[k]
        by_date = _squares(away, date)
        by_ground = _squares(away, np.unique(ground[row], return_inverse=True)[1])
        both = by_date + by_ground - float(away @ away)
        half[k] = _NORMAL * np.sqrt(max(both, by_date, by_ground)) / count
    low, high = np.clip(share - half, 0, 1), np.clip(share + half, 0, 1)
    return Reliability(levels, share, low, high, count)


def by_season(
    p: NDArray[np.floating],
    days: NDArray[np.datetime64],
    ground: NDArray[np.int64],
    alphas: Sequence[float] = ALPHAS,
) -> dict[str, Reliability]:
    """The same for each quarter of the year of `days` (t,) that has p-values."""
    month = days.astype("datetime64[M]").astype(np.int64) % 12  # 0 is January
    quarter = (month + 1) % 12 // 3
    groups = np.broadcast_to(np.array(SEASONS)[quarter], p.shape)
    return by_group(p, groups, ground, alphas)


def by_group(
    p: NDArray[np.floating],
    groups: NDArray[np.str_],
    ground: NDArray[np.int64],
    alphas: Sequence[float] = ALPHAS,
) -> dict[str, Reliability]:
    """The same for each name in `groups` (n, t), such as what `Scores.reference` says."""
    return {
        str(name): reliability(np.where(groups == name, p, np.nan), ground, alphas)
        for name in np.unique(groups[np.isfinite(p)])
    }


def _squares(away: NDArray[np.float64], cluster: NDArray[np.int64]) -> float:
    """Sum of squared sums of clusters."""
    return float((np.bincount(cluster, away) ** 2).sum())
