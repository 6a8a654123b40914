"""Every observation of patches against its no-change set, and the sets against themselves.

Streaming over patches; memory is that of the inner products of some patches' observations, and of
some sets' members.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.calibrate import median_and_spread
from terradrift.detect.half import single
from terradrift.detect.local import left_out
from terradrift.detect.local.reference import References, references
from terradrift.detect.local.spread import Spread
from terradrift.detect.novelty import distances
from terradrift.detect.windows import sliding

DISTANCE, LOF = "distance", "lof"
_CHUNK_BYTES = 32 << 20
_SETS_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """`q` observations of `n` patches, judged."""

    row: NDArray[np.int64]
    """(q,), the patch."""
    at: NDArray[np.int64]
    """(q,), number of the day."""
    score: NDArray[np.float64]
    """(q,), distance per dimension, or local outlier factor; NaN where nothing scales it."""
    z: NDArray[np.float64]
    """(q,), robust standard deviations beyond the set's own, each left out of the others."""
    first: NDArray[np.int64]
    """(q,), number of the first day of its set."""
    last: NDArray[np.int64]
    """(q,)"""
    width: NDArray[np.int64]
    """(q,), observations in its set."""
    own: NDArray[np.float64]
    """(q, s), z of up to `s` members of the set, evenly spaced in time; NaN where fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What is measured against which set."""

    measure: str
    window: str
    reference: int
    min_reference: int
    guard_days: int
    components: int | None
    floor: float
    members: int = 0
    """Members whose own z is kept for calibration."""
    neighbours: int | None = None
    """Of LOF; None: the whole set."""
    scaled: bool = True
    """Whether z is wanted of LOF, which takes each set once more without each member."""


def judge(
    days: NDArray[np.datetime64],
    vectors: NDArray[np.floating],
    clear: NDArray[np.bool_],
    how: How,
) -> Iterator[Judged]:
    """Judge (n, t, d) vectors, some patches at a time; nothing of patches without a set.

    Raises:
        ValueError: arrays of shapes that do not belong together.
    """
    if vectors.shape[:2] != clear.shape or len(days) != clear.shape[1]:
        raise ValueError(
            "expected days (t,), vectors (n, t, d) and clear (n, t), got "
            f"{days.shape}, {vectors.shape} and {clear.shape}"
        )
    count = clear.sum(axis=1)
    order = np.argsort(-count, kind="stable")
    order = order[count[order] > how.min_reference]
    while len(order):
        longest = int(count[order[0]])
        each = 8 * longest * (2 * longest + 2 * vectors.shape[2])
        size = max(1, _CHUNK_BYTES // each)
        rows, order = order[:size], order[size:]
        held = references(
            days,
            clear[rows],
            window=how.window,
            reference=how.reference,
            min_reference=how.min_reference,
            guard_days=how.guard_days,
        )
        for part in _some(vectors[rows[:, None], held.at], held, how):
            part.row[:] = rows[part.row]
            yield part


def _some(seen: NDArray[np.floating], held: References, how: How) -> Iterator[Judged]:
    """Judge the clear observations (n, m, d) of some patches, width by width of their sets."""
    wide = _relative(seen)
    between: NDArray[Any] = (
        distances(wide) if how.measure == LOF else wide @ wide.transpose(0, 2, 1)
    )
    for r in np.unique(held.width[held.width > 0]).tolist():
        row, query = np.nonzero(held.width == r)
        begin = held.start[row, query]
        sets, of = np.unique(np.stack([row, begin]), axis=1, return_inverse=True)
        of = of.ravel()
        step = max(1, _SETS_BYTES // (8 * r * r))
        for at in range(0, sets.shape[1], step):
            here = (at <= of) & (of < at + step)
            some = sets[:, at : at + step]
            asked = row[here], query[here], of[here] - at
            yield _against(
                between, some, asked, r=r, dimensions=seen.shape[2], held=held, how=how
            )


def _against(
    between: NDArray[Any],
    sets: NDArray[np.int64],
    asked: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    *,
    r: int,
    dimensions: int,
    held: References,
    how: How,
) -> Judged:
    """Judge observations against sets of `r` members.

    Args:
        between: (n, m, m), distances (LOF) or inner products of each patch's observations.
        sets: (2, f), patch and place of the first member.
        asked: (q,) patches, places and numbers of the sets.
        r: members.
        dimensions: of the vectors.
        held: the sets of all observations.
        how: the rules.
    """
    row, query, of = asked
    begin = sets[1, of]
    inside = sets[1][:, None] + np.arange(r)
    among = between[sets[0][:, None, None], inside[:, :, None], inside[:, None]]
    own = None
    if how.measure == LOF:
        width, k = np.full(len(row), r), how.neighbours or r
        score = sliding(between, row, query, begin, width, k=k).astype(np.float64)
        if how.scaled:
            own = left_out.factors(among, k)
    else:
        spread = Spread.of(among, dimensions, how.components)
        to = between[row[:, None], query[:, None], inside[of]]
        score = spread.distances(of, to, between[row, query, query])
        own = spread.left_out()
    z, mine = _standing(score, own, of, how)
    return Judged(
        row,
        held.at[row, query],
        score,
        z,
        held.at[row, begin],
        held.at[row, begin + r - 1],
        np.full(len(row), r),
        mine,
    )


def _relative(seen: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, m, d) as steps from the first observation, in units of its length.

    Nothing later changes them, and inner products keep their precision.
    """
    rows = single(seen).astype(np.float64)
    first = rows[:, :1].copy()
    length = np.linalg.norm(first, axis=2, keepdims=True)
    rows -= first
    rows /= np.where(length > 0, length, 1.0)
    return rows


def _standing(
    score: NDArray[np.float64],
    own: NDArray[np.float64] | None,
    of: NDArray[np.int64],
    how: How,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Z-scores (q,) of observations and (q, s) of members, by the scores (f, r) of the sets' own."""
    if own is None:
        return np.full(len(score), np.nan), np.zeros((len(score), 0))
    known = np.isfinite(own)
    median, spread = median_and_spread(own, known)
    scale = spread + how.floor * median
    flat = ~(scale > 0)
    scale = np.where(flat, np.nan, scale)
    z = (score - median[of]) / scale[of]
    r = own.shape[1]
    if how.members == 0:
        return z, np.zeros((len(score), 0))
    kept = np.unique(np.linspace(0, r - 1, min(how.members, r)).round().astype(int))
    mine = np.full((len(own), how.members), np.nan)
    mine[:, : len(kept)] = (own[:, kept] - median[:, None]) / scale[:, None]
    return z, mine[of]
