"""How an event grows: which changes are one and the same in space, time and direction.

The rule, in the order in which it is applied:

1. Repeats. Changes of one patch whose onsets lie within `repeat_days` of a stronger one of
   that patch are the same change seen again (a flood and its retreat, a building that
   grows), whatever their direction.
2. Links. Changes of neighbouring patches (8 neighbours) are linked when their intervals
   (`date_before` to `date_after`: the change happened somewhere inside) overlap or lie at
   most `gap_days` apart, and their deltas point the same way: cosine of at least
   `min_cosine`. Across a gap of one patch the intervals must overlap and the cosine
   must be at least `bridge_cosine`.
3. Growth. A chain of links may wander far in time and direction, as fields harvested one
   after the other do. So an event grows from its strongest change, and takes in only
   what is linked to it through members that are themselves within `span_days` and
   `min_cosine` of that strongest change, and score at least `min_share` of it: the faint
   changes of the fields around are not part of a building site. What is left grows
   events of its own.

"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import features
from terradrift.detect.links import Pairs, beside

_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """`n` changes, as far as connecting them needs to know."""

    change_ids: NDArray[np.str_]
    """(n,), unique."""
    cells: NDArray[np.int64]
    """(n, 3), number of the grid's CRS, row and column."""
    onset: NDArray[np.datetime64]
    """(n,)"""
    date_before: NDArray[np.datetime64]
    """(n,), the last observation before."""
    date_after: NDArray[np.datetime64]
    """(n,), the first observation after."""
    score: NDArray[np.floating]
    """(n,), finite, 0 or more."""
    persistence: NDArray[np.str_]
    """(n,), empty where it is not known."""
    delta: NDArray[np.floating]
    """(n, d), embedding after less before."""

    def __post_init__(self) -> None:
        n = len(self.change_ids)
        sizes = {name: len(getattr(self, name)) for name in self.__slots__}
        wrong = [f"{name} has {size}" for name, size in sizes.items() if size != n]
        if wrong:
            raise ValueError(f"expected {n} rows everywhere, but {', '.join(wrong)}")
        if not (np.isfinite(self.score) & (self.score >= 0)).all():
            raise ValueError("scores must be finite and not negative")
        if len(np.unique(self.change_ids)) != n:
            raise ValueError("change_ids must be unique")

    def __len__(self) -> int:
        return len(self.change_ids)

    def take(self, rows: NDArray[np.int64]) -> "Changes":
        """The changes at `rows`, in that order."""
        return Changes(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """The rule by which changes belong together; see the module."""

    repeat_days: int = 180
    gap_days: int = 15
    span_days: int = 60
    min_cosine: float = 0.3
    bridge_cosine: float = 0.6
    min_share: float = 0.25

    def __post_init__(self) -> None:
        for name in ("repeat_days", "gap_days", "span_days"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"{name} must not be negative, got {getattr(self, name)}"
                )
        if not -1 <= self.min_cosine <= self.bridge_cosine:
            raise ValueError(
                "min_cosine must be between -1 and bridge_cosine "
                f"({self.bridge_cosine}), got {self.min_cosine}"
            )
        if not 0 <= self.min_share <= 1:
            raise ValueError(f"min_share must be 0 to 1, got {self.min_share}")

    def seeds(self, changes: Changes) -> NDArray[np.int64]:
        """(n,), for each change the strongest of its event; rows come strongest first."""
        head = self._heads(changes)
        heads = np.flatnonzero(head == np.arange(len(changes)))
        seed = np.arange(len(changes))
        seed[heads] = heads[self._grow(changes.take(heads))]
        return np.asarray(seed[head])

    def _heads(self, changes: Changes) -> NDArray[np.int64]:
        """(n,), the change that each one repeats, itself where none; strongest first."""
        head = np.arange(len(changes))
        _, patch, count = np.unique(
            changes.cells, axis=0, return_inverse=True, return_counts=True
        )
        days = _days(changes.onset)
        open_ = count[patch] > 1
        while open_.any():
            # Per patch the strongest of what is left, which takes its repeats with it.
            left = np.flatnonzero(open_)
            patches, first = np.unique(patch[left], return_index=True)
            leader = left[first][np.searchsorted(patches, patch[left])]
            near = np.abs(days[left] - days[leader]) <= self.repeat_days
            head[left[near]] = leader[near]
            open_[left[near]] = False
        return head

    def _links(self, changes: Changes, unit: NDArray[np.float32]) -> Pairs:
        before, after = _days(changes.date_before), _days(changes.date_after)
        found = []
        for reach, gap, cosine in (
            (1, self.gap_days, self.min_cosine),
            (2, 0, self.bridge_cosine),
        ):
            left, right = beside(changes.cells, reach)
            timely = _gap(before, after, left, right) <= gap
            left, right = left[timely], right[timely]
            alike = _cosines(unit, left, right) >= cosine
            found.append((left[alike], right[alike]))
        lefts, rights = zip(*found, strict=True)
        return np.concatenate(lefts), np.concatenate(rights)

    def _grow(self, changes: Changes) -> NDArray[np.int64]:
        """(n,), the seed of each change's event; changes come strongest first."""
        unit = features.unit(changes.delta)
        before, after = _days(changes.date_before), _days(changes.date_after)
        left, right = self._links(changes, unit)
        starts, linked = _neighbours(len(changes), left, right)
        seed = np.arange(len(changes))
        open_ = np.ones(len(changes), bool)
        # One event after the other: each change is taken once, so this is linear in links,
        # where splitting all chains at once is not.
        for first in np.flatnonzero(np.diff(starts)):
            if not open_[first]:
                continue
            open_[first] = False
            least = self.min_share * changes.score[first]
            front = np.array([first])
            while len(front):
                near = [linked[starts[each] : starts[each + 1]] for each in front]
                met = np.unique(np.concatenate(near))
                met = met[open_[met]]
                fits = _gap(before, after, met, first) <= self.span_days
                fits &= changes.score[met] >= least
                front = met[fits]
                front = front[unit[front] @ unit[first] >= self.min_cosine]
                open_[front] = False
                seed[front] = first
        return seed


def _days(instants: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Days since 1970, with fractions."""
    return np.asarray(instants.astype("datetime64[us]").astype(np.int64) / 86_400e6)


def _gap(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    left: NDArray[np.int64],
    right: NDArray[np.int64] | np.int64,
) -> NDArray[np.float64]:
    """(pairs,), days between two intervals; 0 or less where they overlap."""
    later = np.maximum(before[left], before[right])
    return np.asarray(later - np.minimum(after[left], after[right]))


def _cosines(
    unit: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(pairs,), in blocks."""
    cosines = np.empty(len(left), np.float32)
    step = max(1, _BLOCK_BYTES // (8 * max(1, unit.shape[1])))
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        cosines[part] = np.einsum("pd,pd->p", unit[left[part]], unit[right[part]])
    return cosines


def _neighbours(
    n: int, left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Links in both directions: those of row i are `linked[starts[i] : starts[i + 1]]`."""
    row = np.concatenate([left, right])
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(n + 1))
    return starts, np.concatenate([right, left])[order]
