"""What the whole history of each patch says, whether a change is reported or not (pure)."""

import re

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.block import Patches
from terradrift.detect.describe import Dates
from terradrift.detect.null import Null
from terradrift.detect.score import Candidates
from terradrift.series import Series

_SIZE = re.compile(r"\d+_(\d+)m_-?\d+_-?\d+$")
_DAYS_PER_YEAR = 365.25
_PER_KM2 = 1000.0
"""Square kilometres that false alarms are counted on."""


def patches(
    series: Series, known: Dates, found: Candidates, null: Null | None, least: int
) -> Patches:
    """The strongest candidate of each patch of the series, with its calibration.

    `found` holds at most one candidate per patch, `least` is the number of clear
    observations that a state needs.
    """
    n = len(series)
    n_clear = known.clear.sum(axis=1).astype(np.int32)
    score = np.full(n, np.nan, np.float32)
    score[found.row] = found.score
    p = np.full(n, np.nan) if null is None else null.p_value(score)
    onset = np.full(n, np.datetime64("NaT"), "datetime64[us]")
    onset[found.row] = series.times[found.row, known.where[found.first]]
    persistence = np.full(n, "", "U10")
    persistence[found.row] = np.where(found.lasts, "persistent", "transient")
    reason = np.full(n, "", "U32")
    unjudged = np.isnan(score)
    reason[unjudged] = "no split of its dates"
    reason[unjudged & (n_clear < 2 * least)] = "too few clear dates"
    reason[unjudged & (n_clear == 0)] = "not clear enough"
    return Patches(
        n_clear,
        score,
        p.astype(np.float32),
        false_alarms(p, years(series.days, known.clear), area(series.patch_ids)),
        onset,
        persistence,
        reason,
    )


def false_alarms(
    p: NDArray[np.floating], years: NDArray[np.floating], km2: float
) -> NDArray[np.float32]:
    """(n,) expected false changes per 1,000 km2 and year at p (n,), on patches of `km2`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        alarms = p * (_PER_KM2 / km2) / years
    return np.where(years > 0, alarms, np.nan).astype(np.float32)


def years(
    days: NDArray[np.datetime64], clear: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) from the first to the last of `days` (t,) that is `clear` (n, t); 0 of none."""
    t = clear.shape[1]
    if t == 0:
        return np.zeros(len(clear))
    first, last = clear.argmax(axis=1), t - 1 - clear[:, ::-1].argmax(axis=1)
    span = (days[last] - days[first]) / np.timedelta64(1, "D") / _DAYS_PER_YEAR
    return np.where(clear.any(axis=1), span, 0.0)


def area(patch_ids: NDArray[np.str_]) -> float:
    """Square kilometres of a patch, by the ids; NaN where they do not tell."""
    match = _SIZE.match(str(patch_ids[0])) if len(patch_ids) else None
    return (int(match[1]) / 1000.0) ** 2 if match else np.nan
