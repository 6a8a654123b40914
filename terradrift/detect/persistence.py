"""Whether a change lasts, passed, came gradually, or only moved the season (pure).

* transient: the old state came back (`several`).
* gradual: a ramp between two levels fits clearly better than a step: its F statistic, as a
  root, is 1.2 times that of the best step, both beside the scene and beside analogues. It
  holds at least 3 clear dates between its ends, and 3 or more lie before it; and less than
  half of the rise comes within the 6 dates around the best step. The onset is where it
  starts.
* seasonal: with at least a year of clear dates on both sides, what comes after follows the
  path of the year before, but earlier or later by 10 to 60 days: the shift explains three
  quarters of what the path without it does not. Shorter series abstain from this class.
* persistent: none of these.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.reference import YEAR_DAYS
from terradrift.detect.score import CLEARLY

_KNOTS = 32
"""Clear dates that a ramp may start or end on, spread evenly."""
_INSIDE = 3
_ABRUPT = 0.5
"""A step, whatever came later, if so much of the rise comes between the 3 dates before and
after it."""
_YEAR = 330
"""Days that pass as a year: the first and last weeks may be cloudy."""
_SHIFTS = np.array([d for d in range(-60, 61, 5) if abs(d) >= 10])
_BANDWIDTH = 12.0
"""Days, standard deviation of the kernel that the yearly path is smoothed by."""
_UNLIKE = 2.0
"""What comes after must be so much further from the path than what came before."""
_EXPLAINED = 0.75


def ramp_start(gone: NDArray[np.floating], days: NDArray[np.floating]) -> int | None:
    """The date number at which a ramp starts, None where a step fits about as well.

    `gone` (k,) is the progress of the clear dates of the states before and after, on the
    days (k,), ascending.
    """
    k = len(gone)
    if k < 2 * _INSIDE + 2:
        return None
    knots = np.unique(np.linspace(0, k - 1, min(k, _KNOTS)).astype(np.int64))
    start, end = np.triu_indices(len(knots), 1)
    start, end = knots[start], knots[end]
    wide = (end - start > _INSIDE) & (start >= _INSIDE)
    start, end = start[wide], end[wide]
    if len(start) == 0:
        return None
    length = (days[end] - days[start])[:, None]
    ramps = np.clip((days - days[start][:, None]) / length, 0.0, 1.0)
    steps = np.arange(k) >= np.arange(1, k)[:, None]
    by_ramp, by_step = (
        _explained(gone, ramps),
        _explained(gone, steps.astype(np.float64)),
    )
    total = float(((gone - gone.mean()) ** 2).sum())
    best = int(by_ramp.argmax())
    split = int(by_step.argmax()) + 1
    jump = (
        gone[split : split + _INSIDE].mean()
        - gone[max(split - _INSIDE, 0) : split].mean()
    )
    if jump >= _ABRUPT * _rise(gone, ramps[best]):
        return None
    if _strength(by_ramp[best], total) < CLEARLY * _strength(by_step.max(), total):
        return None
    return int(start[best])


def _explained(
    gone: NDArray[np.floating], shapes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(p,) sum of squares that each of the shapes (p, k) explains."""
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    square = np.maximum((centred**2).sum(axis=1), 1e-12)
    explained: NDArray[np.float64] = (centred @ (gone - gone.mean())) ** 2 / square
    return explained


def _rise(gone: NDArray[np.floating], shape: NDArray[np.float64]) -> float:
    """By how much the fit of one shape (k,) rises."""
    centred = shape - shape.mean()
    return float(centred @ gone / max(centred @ centred, 1e-12))


def _strength(explained: float, total: float) -> float:
    return float(np.sqrt(explained / max(total - explained, 1e-9 * total + 1e-30)))


def season_shift(
    vectors: NDArray[np.floating], days: NDArray[np.datetime64], split: int
) -> int | None:
    """Days by which the yearly path came later after date number `split`; None: not so.

    `vectors` (k, r) are the clear dates `days` (k,) of the states before and after. Negative
    is earlier.
    """
    if split < 2 or split > len(days) - 2:
        return None
    number = days.astype("datetime64[D]").astype(np.int64).astype(np.float64)
    old, new = number[:split], number[split:]
    if np.ptp(old) < _YEAR or np.ptp(new) < _YEAR:
        return None
    before, after = (
        vectors[:split].astype(np.float64),
        vectors[split:].astype(np.float64),
    )
    usual = _miss(before, _path(before, old, old, leave=True))
    if not np.isfinite(usual):
        return None
    level = max(usual, 1e-12)
    plain = _miss(after, _path(before, old, new)) / level
    if not plain >= _UNLIKE:
        return None
    moved = np.array(
        [_miss(after, _path(before, old, new - shift)) / level for shift in _SHIFTS]
    )
    best = int(np.nanargmin(moved)) if np.isfinite(moved).any() else 0
    if not moved[best] - 1.0 <= (1.0 - _EXPLAINED) * (plain - 1.0):
        return None
    return int(_SHIFTS[best])


def _path(
    vectors: NDArray[np.float64],
    days: NDArray[np.float64],
    wanted: NDArray[np.float64],
    *,
    leave: bool = False,
) -> NDArray[np.float64]:
    """(m, r) the smoothed yearly path of (k, r) vectors on the days `wanted` (m,).

    NaN where no date of that season was seen. `leave` leaves out the day itself.
    """
    apart = wanted[:, None] - days
    folded = (apart + YEAR_DAYS / 2) % YEAR_DAYS - YEAR_DAYS / 2
    weight = np.exp(-0.5 * (folded / _BANDWIDTH) ** 2)
    if leave:
        weight[apart == 0] = 0.0
    total = weight.sum(axis=1, keepdims=True)
    path: NDArray[np.float64] = weight @ vectors / np.where(total > 0.05, total, np.nan)
    return path


def _miss(vectors: NDArray[np.float64], path: NDArray[np.float64]) -> float:
    """Mean squared distance of vectors (m, r) to a path (m, r) where that is known."""
    known = np.isfinite(path).all(axis=1)
    if known.sum() < 0.5 * len(path):
        return np.nan
    return float(((vectors - path)[known] ** 2).sum(axis=1).mean())
