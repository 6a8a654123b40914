"""How late a running score tells of a change, at a fixed rate of false alarms (pure).

The threshold is set on the ground that did not change, so that methods are compared at the
same price; a chart's own threshold and what it costs are told beside it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_YEAR = 365.25
_PER = 1000.0
"""km2"""


@dataclass(frozen=True, slots=True)
class Delay:
    """What a threshold on a running score gives."""

    threshold: float
    asked: float
    """False alarms per 1,000 km2 and year that were allowed; NaN where none were set."""
    false_alarms: float
    """The same as counted: unchanged patches that alarm, over their area and time till then."""
    images_between: float
    """Judged observations of unchanged patches per false alarm; infinite without any."""
    changed: int
    """Changed patches that were judged at all."""
    found: float
    """Share of them whose first alarm came at the onset or later."""
    early: float
    """Share of them that alarmed before the onset: false alarms, not findings."""
    days: tuple[float, float, float]
    """Quartiles of the days from onset to alarm among those found; NaN without any."""


def at_false_alarms(
    score: NDArray[np.floating],
    days: NDArray[np.datetime64],
    onset: NDArray[np.datetime64],
    changed: NDArray[np.bool_],
    unchanged: NDArray[np.bool_],
    *,
    km2: float,
    rate: float,
) -> Delay:
    """The delay with the lowest threshold that costs at most `rate`.

    Args:
        score: (n, t), a running score of each date, NaN where it says nothing; it must not
            have used later dates.
        days: (t,), datetime64[D], ascending, from the first day on that could alarm.
        onset: (n,), datetime64[D], of the changed ones.
        changed: (n,)
        unchanged: (n,), the ground on which every alarm is false.
        km2: area of one patch.
        rate: false alarms per 1,000 km2 and year.

    Raises:
        ValueError: no unchanged patch was judged, or shapes do not fit.
    """
    highest = _highest(score, days, unchanged)
    levels = np.unique(highest[unchanged][:, -1])
    levels = levels[np.isfinite(levels)]
    low, high = 0, len(levels)  # above the last one nothing alarms
    while low < high:
        middle = (low + high) // 2
        costs = _rate(highest[unchanged], days, float(levels[middle]), km2)
        low, high = (low, middle) if costs <= rate else (middle + 1, high)
    top = np.nextafter(np.float64(levels[-1]), np.inf)
    threshold = float(levels[low]) if low < len(levels) else float(top)
    return at_threshold(
        score, days, onset, changed, unchanged, km2=km2, threshold=threshold, rate=rate
    )


def at_threshold(
    score: NDArray[np.floating],
    days: NDArray[np.datetime64],
    onset: NDArray[np.datetime64],
    changed: NDArray[np.bool_],
    unchanged: NDArray[np.bool_],
    *,
    km2: float,
    threshold: float,
    rate: float = np.nan,
) -> Delay:
    """The delay with a threshold of the method's own; arguments as `at_false_alarms`."""
    highest = _highest(score, days, unchanged)
    same = highest[unchanged]
    alarmed, first = _first(highest, threshold)
    known = changed & np.isfinite(highest[:, -1])
    when = days[np.minimum(first, len(days) - 1)]
    late = known & alarmed & (when >= onset)
    soon = known & alarmed & (when < onset)
    delay = ((when - onset) / np.timedelta64(1, "D"))[late]
    wrong = int(alarmed[unchanged].sum())
    images = int(np.isfinite(score[unchanged]).sum())
    count = int(known.sum())
    quartiles = np.quantile(delay, [0.25, 0.5, 0.75]) if len(delay) else [np.nan] * 3
    return Delay(
        threshold=threshold,
        asked=rate,
        false_alarms=_rate(same, days, threshold, km2),
        images_between=images / wrong if wrong else np.inf,
        changed=count,
        found=float(late.sum() / count) if count else np.nan,
        early=float(soon.sum() / count) if count else np.nan,
        days=(float(quartiles[0]), float(quartiles[1]), float(quartiles[2])),
    )


def _highest(
    score: NDArray[np.floating],
    days: NDArray[np.datetime64],
    unchanged: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(n, t), the highest score so far, NaN before the first."""
    if score.shape != (len(unchanged), len(days)):
        raise ValueError(
            f"expected scores of {len(unchanged)} patches on {len(days)} days, got "
            f"{score.shape}"
        )
    if not np.isfinite(score[unchanged]).any():
        raise ValueError("expected scores of unchanged patches, got none")
    highest: NDArray[np.float64] = np.fmax.accumulate(score.astype(np.float64), axis=1)
    return highest


def _first(
    highest: NDArray[np.float64], threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which patches alarm, and the number of the day of each first alarm."""
    over = np.asarray(highest >= threshold)  # NaN is not
    alarmed = np.asarray(over.any(axis=1))
    first: NDArray[np.int64] = over.argmax(axis=1)
    return alarmed, first


def _rate(
    highest: NDArray[np.float64],
    days: NDArray[np.datetime64],
    threshold: float,
    km2: float,
) -> float:
    """First alarms per 1,000 km2 and year, over the time until them."""
    known = np.isfinite(highest[:, -1])
    alarmed, first = _first(highest[known], threshold)
    last = np.where(alarmed, first, len(days) - 1)
    years = float(((days[last] - days[0]) / np.timedelta64(1, "D")).sum()) / _YEAR
    if not alarmed.any():
        return 0.0
    return float(alarmed.sum() / (years * km2) * _PER) if years > 0 else np.inf
