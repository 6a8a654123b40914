"""How far a date is from its season-matched past, and left-out scores of that past (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import reference
from terradrift.detect.seasonal.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Temporal:
    """What one date of `m` patches is beside their references."""

    score: NDArray[np.float32]
    """(m,), cosine distance 0..2, NaN without a reference."""
    left_out: NDArray[np.float32]
    """(m, r), the same of each member against the others; NaN where there are none."""
    count: NDArray[np.int32]
    """(m,), members."""
    first: NDArray[np.int64]
    """(m,), number of the oldest member's date, -1 without one."""
    last: NDArray[np.int64]
    """(m,), number of the newest one's."""
    season: NDArray[np.bool_]
    """(m,), whether they are of the same season in earlier years."""


def judge(
    cosines: NDArray[np.float32],
    days: NDArray[np.datetime64],
    usable: NDArray[np.bool_],
    rows: NDArray[np.int64],
    at: int,
    *,
    settings: Settings,
) -> Temporal:
    """Judge date number `at` of the patches `rows` (m,).

    A left-out member is compared with those that are at least the guard away from it, as
    the date itself is: neighbours in time would make it look too usual.

    Args:
        cosines: (n, t, t), between a patch's own observations.
        days: (t,), ascending.
        usable: (n, t), which observations may be a reference.
        rows: patches that are clear on the date.
        at: the date.
        settings: which past, and which distance.
    """
    until = at + 1
    chosen, kind = reference.members(
        days[:until],
        usable[rows, :until],
        at,
        window_days=settings.window_days,
        guard_days=settings.guard_days,
        least=settings.min_season,
        most=settings.max_reference,
        earlier_years=True,
    )
    valid = chosen >= 0
    count = valid.sum(axis=1)
    place = np.maximum(chosen, 0)
    to = cosines[rows[:, None], at, place]
    among = cosines[rows[:, None, None], place[:, :, None], place[:, None, :]]
    when = days[place].astype(np.int64)
    apart = np.abs(when[:, :, None] - when[:, None, :]) >= max(settings.guard_days, 1)
    other = valid[:, :, None] & valid[:, None, :] & apart
    measure = _nearest if settings.measure == "nearest" else _centroid
    score, left_out = measure(to, among, valid, other)
    score[count == 0] = np.nan
    left_out[~other.any(axis=2)] = np.nan
    oldest = np.take_along_axis(chosen, np.maximum(count - 1, 0)[:, None], 1)[:, 0]
    return Temporal(
        np.clip(score, 0.0, 2.0),
        np.clip(left_out, 0.0, 2.0),
        count.astype(np.int32),
        oldest,
        chosen[:, 0],
        kind == reference.SEASON,
    )


def _nearest(
    to: NDArray[np.float32],
    among: NDArray[np.float32],
    valid: NDArray[np.bool_],
    other: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    low = np.float32(-1)
    return (
        1 - np.where(valid, to, low).max(axis=1),
        1 - np.where(other, among, low).max(axis=2),
    )


def _centroid(
    to: NDArray[np.float32],
    among: NDArray[np.float32],
    valid: NDArray[np.bool_],
    other: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    both = valid[:, :, None] & valid[:, None, :]
    length2 = np.where(both, among, 0).sum(axis=(1, 2))
    score = 1 - np.where(valid, to, 0).sum(axis=1) / np.sqrt(np.maximum(length2, 1e-12))
    chosen = other.astype(np.float32)
    rest2 = ((chosen @ among) * chosen).sum(axis=2)
    left = 1 - (chosen * among).sum(axis=2) / np.sqrt(np.maximum(rest2, 1e-12))
    return score.astype(np.float32), left.astype(np.float32)
