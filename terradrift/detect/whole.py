"""What the whole history of each patch says: its strongest candidate, and all changes (pure)."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import onset, persistence, score, several
from terradrift.detect.calibration import Calibration
from terradrift.detect.score import Histories, Strongest
from terradrift.detect.several import Found

_CLASS = np.array(["persistent", "transient"])


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """`m` changes that are reported, in order of patch and time."""

    row: NDArray[np.int64]
    """(m,), patch."""
    number: NDArray[np.int32]
    """(m,), 1, 2, ... within the patch."""
    begin: NDArray[np.int64]
    """(m,), first date number of the state before."""
    first: NDArray[np.int64]
    """(m,), number of the first clear date of the new state, or of where a ramp starts."""
    early: NDArray[np.int64]
    """(m,), the onset lies after this date number at 95 %."""
    late: NDArray[np.int64]
    """(m,), and up to this."""
    end: NDArray[np.int64]
    """(m,), first date number after the new state, t where it lasts to the end."""
    score: NDArray[np.float32]
    """(m,)"""
    persistence: NDArray[np.str_]
    """(m,), `persistent`, `transient`, `gradual` or `seasonal`."""

    @classmethod
    def none(cls) -> "Candidates":
        """No changes."""
        no, number = np.zeros(0, np.int64), np.zeros(0, np.int32)
        score_, text = np.zeros(0, np.float32), np.zeros(0, "U10")
        return cls(no, number, no, no, no, no, no, score_, text)

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The strongest candidate of each of `n` patches, dated, and all that are reported."""

    score: NDArray[np.float32]
    """(n,), NaN where the history cannot be judged."""
    first: NDArray[np.int64]
    """(n,), number of the first clear date of the new state."""
    persistence: NDArray[np.str_]
    """(n,), empty without a candidate."""
    found: Candidates


def judge(
    patches: Histories,
    vectors: NDArray[np.float32],
    days: NDArray[np.datetime64],
    alarms: NDArray[np.float64],
    calibration: Calibration,
) -> Judged:
    """Judge `n` histories on `t` dates.

    `vectors` (n, t, r) are the reduced ones with all that the scene did, `alarms` (n,) as
    of `calibration.alarms_if_all`.
    """
    settings = calibration.settings
    top = score.strongest(patches, settings.min_segment)
    first, kind = _dated(patches, top)
    rows = np.flatnonzero(calibration.reported(top.score, alarms))

    def likely(
        scores: NDArray[np.float64], row: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        return calibration.reported(scores, alarms[rows[row]])

    some = patches.take(rows)
    chosen = Strongest(*(getattr(top, name)[rows] for name in Strongest.__slots__))
    changes = several.several(
        some,
        chosen,
        likely,
        least=settings.min_segment,
        strength=settings.min_strength,
        alone=_gradual(some, chosen, days),
    )
    found = _described(some, vectors[rows], days, changes)
    once = _once(found.row, found.first, found.score)
    found, strongest = _kept(found, once), changes.strongest[once]
    first[rows[found.row[strongest]]] = found.first[strongest]
    kind[rows[found.row[strongest]]] = found.persistence[strongest]
    return Judged(
        top.score,
        first,
        kind,
        Candidates(
            rows[found.row],
            *(getattr(found, name) for name in Candidates.__slots__[1:]),
        ),
    )


def _gradual(
    patches: Histories, top: Strongest, days: NDArray[np.datetime64]
) -> NDArray[np.bool_]:
    """(n,) whether a strongest candidate that lasts is a ramp in the whole history."""
    begin = np.zeros(len(patches), np.int64)
    gone, counted = _progress(patches.vectors, patches.clear, begin, top.first, top.end)
    aside, compared = _progress(
        patches.residual, patches.compared, begin, top.first, top.end
    )
    number = _number(days)
    slow = [
        bool(top.lasts[at])
        and _ramp(gone[at], counted[at], aside[at], compared[at], number) is not None
        for at in range(len(patches))
    ]
    return np.array(slow, bool)


def _ramp(
    gone: NDArray[np.float64],
    counted: NDArray[np.bool_],
    aside: NDArray[np.float64],
    compared: NDArray[np.bool_],
    number: NDArray[np.float64],
) -> int | None:
    """The date number at which a ramp starts; None: there is none."""
    seen, beside = np.flatnonzero(counted), np.flatnonzero(compared)
    start = persistence.ramp_start(gone[seen], number[seen])
    # A season of its own looks like a ramp, but not beside analogues.
    if start is None or persistence.ramp_start(aside[beside], number[beside]) is None:
        return None
    return int(seen[start])


def _number(days: NDArray[np.datetime64]) -> NDArray[np.float64]:
    return days.astype("datetime64[D]").astype(np.int64).astype(np.float64)


def _dated(
    patches: Histories, top: Strongest
) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Onset (n,) and kind (n,) of the strongest candidates."""
    known = np.flatnonzero(np.isfinite(top.score))
    first, kind = np.zeros(len(patches), np.int64), np.full(len(patches), "", "U10")
    begin = np.zeros(len(known), np.int64)
    split, end = top.first[known], top.end[known]
    gone, counted = _progress(
        patches.vectors[known], patches.clear[known], begin, split, end
    )
    aside, compared = _progress(
        patches.residual[known], patches.compared[known], begin, split, end
    )
    first[known] = onset.estimate(_both(gone, aside, compared), counted)
    kind[known] = _CLASS[(~top.lasts[known]).astype(np.int64)]
    return first, kind


def _described(
    patches: Histories,
    vectors: NDArray[np.float32],
    days: NDArray[np.datetime64],
    found: Found,
) -> Candidates:
    """Onsets with intervals, and classes, of all changes of the patches."""
    m = len(found.row)
    if m == 0:
        return Candidates.none()
    patches = patches.take(found.row)
    gone, counted = _progress(
        patches.vectors, patches.clear, found.begin, found.first, found.end
    )
    aside, compared = _progress(
        patches.residual, patches.compared, found.begin, found.first, found.end
    )
    both = _both(gone, aside, compared)
    first = onset.estimate(both, counted)
    early, late = onset.interval(both, counted, first)
    kind = _CLASS[found.back.astype(np.int64)].astype("U10")
    number = _number(days)
    for at in np.flatnonzero(~found.back):
        seen = np.flatnonzero(counted[at])
        split = int(np.searchsorted(seen, first[at]))
        if (
            persistence.season_shift(vectors[found.row[at], seen], days[seen], split)
            is not None
        ):
            kind[at] = "seasonal"
            continue
        start = _ramp(gone[at], counted[at], aside[at], compared[at], number)
        if start is not None:
            kind[at] = "gradual"
            # What a ramp begins with is the last date of the old state.
            first[at] = seen[seen > start][0]
            early[at] = min(early[at], start)
            late[at] = max(late[at], first[at])
    return Candidates(
        found.row,
        _numbered(found.row),
        found.begin,
        first,
        early,
        late,
        found.end,
        found.score,
        kind,
    )


def _once(
    row: NDArray[np.int64], first: NDArray[np.int64], scores: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Which of `m` changes to keep: of two of one patch (m,) that begin on one date, the stronger.

    Neighbouring breaks may be dated to the same day, where one of them explains both.
    """
    order = np.lexsort((-scores, first, row))
    again = (np.diff(row[order]) == 0) & (np.diff(first[order]) == 0)
    return np.sort(order[np.append(True, ~again)[: len(order)]])


def _kept(found: Candidates, once: NDArray[np.int64]) -> Candidates:
    """The candidates at `once`, numbered anew."""
    kept = Candidates(*(getattr(found, name)[once] for name in Candidates.__slots__))
    return replace(kept, number=_numbered(kept.row))


def _numbered(row: NDArray[np.int64]) -> NDArray[np.int32]:
    """(m,) 1, 2, ... within runs of equal `row` (m,), ascending."""
    place = np.arange(len(row)) - np.searchsorted(row, row) + 1
    return place.astype(np.int32)


def _progress(
    vectors: NDArray[np.float32],
    clear: NDArray[np.bool_],
    begin: NDArray[np.int64],
    first: NDArray[np.int64],
    end: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How far each date has gone to the new state (m, t), and which dates (m, t) count."""
    at = np.arange(clear.shape[1])
    counted = clear & (at >= begin[:, None]) & (at < end[:, None])
    new = at >= first[:, None]
    before = _mean(vectors, counted & ~new)
    after = _mean(vectors, counted & new)
    return onset.progress(vectors, before, after), counted


def _both(
    gone: NDArray[np.float64],
    aside: NDArray[np.float64],
    compared: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(m, t) progress by both series together, where there were analogues.

    A season of its own moves a patch towards or away from the new state, but less so
    beside its analogues.
    """
    return np.where(compared, 0.5 * (gone + aside), gone)


def _mean(
    vectors: NDArray[np.float32], chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(m, r) mean of the chosen (m, t) dates."""
    total = np.einsum("mtr,mt->mr", vectors, chosen.astype(np.float32))
    count = np.maximum(chosen.sum(axis=1), 1)[:, None]
    mean: NDArray[np.float64] = total.astype(np.float64) / count
    return mean
