"""How far onsets lie from the truth (pure)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate.ground import Ground, Reported
from terradrift.evaluate.intervals import Draws
from terradrift.evaluate.measures import Interval
from terradrift.evaluate.result import Dating
from terradrift.evaluate.truth import Truth

_DAY = np.timedelta64(1, "D")


def error_days(
    found: NDArray[np.datetime64],
    onset: NDArray[np.datetime64],
    latest: NDArray[np.datetime64],
) -> NDArray[np.float64]:
    """(n,) days from the truth to the onset found; above 0 is late, 0 within the truth's interval.

    NaN where either is not given.
    """
    days: NDArray[np.float64] = (found - nearest(found, onset, latest)) / _DAY
    return days


def nearest(
    found: NDArray[np.datetime64],
    onset: NDArray[np.datetime64],
    latest: NDArray[np.datetime64],
) -> NDArray[np.datetime64]:
    """(n,) the day between `onset` and `latest` that is nearest to `found`."""
    day: NDArray[np.datetime64] = np.minimum(np.maximum(found, onset), latest)
    return day


def dating(
    truth: Truth,
    onset: NDArray[np.datetime64],
    told: NDArray[np.bool_],
    ground: Ground,
    draws: Draws,
    *,
    days: Sequence[int],
    reported: Reported | None,
) -> tuple[Dating | None, NDArray[np.float64]]:
    """Onset errors over the changed patches that have a date.

    Args:
        truth: of n patches.
        onset: (n,), datetime64[D], by the method.
        told: (n,), patches for which that onset counts.
        ground: the patches.
        draws: blocks for intervals.
        days: tolerances.
        reported: changes with the interval of their onset, where any are stated.

    Returns:
        the measures, None where no changed patch has a date; and (n,) errors in days, NaN
        where there is none.
    """
    dated = truth.changed & ~np.isnat(truth.onset)
    error = error_days(onset, truth.onset, truth.last)
    error[~(dated & told)] = np.nan
    if not dated.any():
        return None, error
    found = np.isfinite(error)
    late = _late(truth, onset, found, ground)
    covered, length = _covered(truth, onset, found, reported, draws)
    some = int(found.sum())
    return Dating(
        dated=int(dated.sum()),
        found=some,
        within={n: draws.share(np.abs(error) <= n, dated) for n in days},
        days=draws.median(error),
        days_quartiles=_quartiles(error),
        late=float((error[found] > 0).mean()) if some else np.nan,
        early=float((error[found] < 0).mean()) if some else np.nan,
        acquisitions=draws.median(late),
        acquisitions_quartiles=_quartiles(late),
        covered=covered,
        interval_days=length,
    ), error


def _late(
    truth: Truth,
    onset: NDArray[np.datetime64],
    found: NDArray[np.bool_],
    ground: Ground,
) -> NDArray[np.float64]:
    """(n,) error in clear acquisitions; 0 is the first one on or after the truth."""
    late = np.full(len(found), np.nan)
    if ground.clear is None:
        return late
    rows = np.flatnonzero(found)
    true = nearest(onset[rows], truth.onset[rows], truth.last[rows])
    before = ground.clear.before
    late[rows] = before(rows, onset[rows]) - before(rows, true)
    return late


def _covered(
    truth: Truth,
    onset: NDArray[np.datetime64],
    found: NDArray[np.bool_],
    reported: Reported | None,
    draws: Draws,
) -> tuple[Interval, float]:
    """Share of the stated intervals of these onsets that hold the truth, and their length."""
    nothing = Interval(np.nan, np.nan, np.nan), np.nan
    if reported is None:
        return nothing
    patch = reported.patch
    stated = found[patch] & (reported.onset == onset[patch])
    stated &= ~np.isnat(reported.early) & ~np.isnat(reported.late)
    if not stated.any():
        return nothing
    patch, early, late = patch[stated], reported.early[stated], reported.late[stated]
    holds, whole = np.zeros(len(found)), np.zeros(len(found))
    whole[patch] = 1
    holds[patch] = (early <= truth.last[patch]) & (late >= truth.onset[patch])
    return draws.share(holds, whole), float(np.median((late - early) / _DAY))


def _quartiles(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return np.nan, np.nan
    low, high = np.quantile(known, [0.25, 0.75])
    return float(low), float(high)
