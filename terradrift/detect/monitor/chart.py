"""The chart of each patch: evidence added up date by date, alerts raised and ended (pure).

Crosier's multivariate CUSUM (Technometrics 30, 1988): residuals are added up as vectors,
and the sum is shortened by a slack on every date. What points another way each time (haze,
a field ploughed and sown) cancels; what stays in one direction adds up.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.monitor.rules import Rules

_ENDS = 0.5
"""Thresholds below which an open alert ends, and the chart begins anew."""
_NEVER = np.datetime64("NaT", "us")


@dataclass(slots=True, eq=False)
class State:
    """What is kept of `n` patches between dates; `update` changes it in place."""

    total: NDArray[np.float32]
    """(n, r), summed residual."""
    level: NDArray[np.float32]
    """(n,), its length: 0 where nothing speaks for a change."""
    dates: NDArray[np.int32]
    """(n,), dates since the level was 0."""
    since: NDArray[np.datetime64]
    """(n,), datetime64[us], the first of them; NaT at level 0."""
    before: NDArray[np.datetime64]
    """(n,), the last judged observation at level 0, before `since`."""
    last: NDArray[np.datetime64]
    """(n,), the last judged observation."""
    average: NDArray[np.float32]
    """(n,), exponentially weighted moving average of z; NaN before the first date."""
    judged: NDArray[np.int32]
    """(n,), dates judged so far."""
    raised: NDArray[np.bool_]
    """(n,), whether an alert is open."""

    @classmethod
    def empty(cls, last: NDArray[np.datetime64], dimensions: int) -> "State":
        """Nothing seen yet but the reference, whose last clear instants are `last` (n,)."""
        n = len(last)
        return cls(
            np.zeros((n, dimensions), np.float32),
            np.zeros(n, np.float32),
            np.zeros(n, np.int32),
            np.full(n, _NEVER),
            np.full(n, _NEVER),
            last.astype("datetime64[us]"),
            np.full(n, np.nan, np.float32),
            np.zeros(n, np.int32),
            np.zeros(n, bool),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every column by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """What one date did to the charts."""

    raised: NDArray[np.int64]
    """Patches whose alert was raised."""
    ended: NDArray[np.int64]
    """Patches whose open alert ended."""


def update(
    state: State,
    rows: NDArray[np.int64],
    residual: NDArray[np.float32],
    z: NDArray[np.float32],
    instants: NDArray[np.datetime64],
    *,
    threshold: float,
    rules: Rules,
) -> Turn:
    """Take one date of the patches `rows` (m,), each at most once.

    Args:
        state: changed in place.
        rows: (m,)
        residual: (m, r), in units of the date's median length, tempered.
        z: (m,), of the date.
        instants: (m,), when each patch was seen.
        threshold: level from which on an alert is raised.
        rules: slack, confirmation and smoothing.
    """
    added = state.total[rows] + residual
    length = np.sqrt((added * added).sum(axis=1))
    level = np.maximum(length - np.float32(rules.slack), np.float32(0))
    level = np.minimum(level, np.float32(rules.ceiling * max(threshold, rules.slack)))
    was = state.raised[rows]
    level[was & (level < np.float32(_ENDS * threshold))] = 0.0
    state.total[rows] = added * (level / np.maximum(length, np.float32(1e-12)))[:, None]
    zero = level <= 0
    begins = ~zero & (state.level[rows] <= 0)
    state.before[rows] = np.where(begins, state.last[rows], state.before[rows])
    state.since[rows] = np.where(
        zero, _NEVER, np.where(begins, instants, state.since[rows])
    )
    state.dates[rows] = np.where(zero, 0, state.dates[rows] + 1)
    state.level[rows] = level
    state.last[rows] = instants
    state.judged[rows] += 1
    old = state.average[rows]
    weight = np.float32(rules.smoothing)
    state.average[rows] = np.where(
        np.isnan(old), weight * z, (1 - weight) * old + weight * z
    )
    crossed = (level >= threshold) & (state.dates[rows] >= rules.confirm)
    state.raised[rows] = np.where(zero, False, was | crossed)
    return Turn(rows[crossed & ~was], rows[zero & was])
