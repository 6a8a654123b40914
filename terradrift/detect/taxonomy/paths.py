"""Series of patches on a common calendar: the paths that regimes are made of (pure).

Patches are seen on different days. The calendar has steps of one width; a patch's value at
a step is the mean of its clear observations in it, or linear in time between the steps
before and after, where these are near enough. What is too far from any observation stays
unknown.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.pool import Basis
from terradrift.space import Space, placed

YEAR = 365.25
MOST_STEPS = 60
_TYPICAL = 0.5
"""Share of patches that a step must be known of to be one."""
_BRIDGED = 4.0
_REACH = 1.0
"""Widths of a step: the longest gap that is bridged, and how far the ends reach."""
_LEAST_BRIDGED = 64.0
"""Days, so that a month without a clear date parts no path of many short steps."""


@dataclass(frozen=True, eq=False)
class Calendar:
    """The `s` steps that all patches are compared on."""

    steps: NDArray[np.datetime64]
    """(s,), datetime64[D], the middle of each step, ascending; of a folded one in 1970."""
    width_days: float
    bridge_days: float
    """The longest gap between the middles of two known steps that is interpolated."""
    reach_days: float
    """How long the first and last known step stand for those before and after."""
    folded: bool = False
    """Whether the steps are days of the year, and all years are taken together."""

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def middles(self) -> NDArray[np.float64]:
        """(s,), days since 1970-01-01, or of the year from 0."""
        return self.steps.astype("datetime64[D]").astype(np.float64)

    def step_of(self, days: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """(t,), the step that each day falls into, -1 outside all."""
        at = _numbers(days, folded=self.folded)
        apart = np.abs(at[:, None] - self.middles[None])
        if self.folded:
            apart = np.minimum(apart, YEAR - apart)
        nearest = apart.argmin(axis=1)
        # A day more than half a width, because middles are whole days.
        inside = apart[np.arange(len(at)), nearest] <= self.width_days / 2 + 1
        return np.where(inside, nearest, -1)


@dataclass(frozen=True, eq=False)
class Paths:
    """`n` patches at the `s` steps of a calendar, in `r` components."""

    patch_ids: NDArray[np.str_]
    """(n,)"""
    values: NDArray[np.float32]
    """(n, s, r), zeros where not known."""
    known: NDArray[np.bool_]
    """(n, s), seen or interpolated."""
    n_clear: NDArray[np.int32]
    """(n,), clear observations that fell into a step."""

    def __len__(self) -> int:
        return len(self.patch_ids)

    @property
    def whole(self) -> NDArray[np.bool_]:
        """(n,), which patches are known at every step."""
        return np.asarray(self.known.all(axis=1))

    def of(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "Paths":
        """Some of the patches."""
        return Paths(
            self.patch_ids[rows],
            self.values[rows],
            self.known[rows],
            self.n_clear[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """From vectors as they are stored to the components that paths are taken in."""

    basis: Basis | None
    """Of vectors in `space`, where there is one; None: the space was learned, and its
    own axes are taken as they are."""
    space: Space | None = None

    @property
    def components(self) -> int:
        """Components of a path.

        Raises:
            ValueError: there is neither a basis nor a learned space.
        """
        own = None if self.space is None else self.space.matrix
        axes = own if self.basis is None else self.basis.axes
        if axes is None:
            raise ValueError("a projection without a basis takes a learned space")
        return int(axes.shape[1])

    def reduce(
        self, vectors: NDArray[np.floating], clear: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(n, t, d) to (n, t, r); zeros where not clear."""
        inside = placed(vectors, clear, self.space)
        if self.basis is None:
            return inside.astype(np.float32, copy=False)
        return self.basis.reduce(inside, clear)


def calendar(
    days: NDArray[np.datetime64],
    seen: NDArray[np.integer],
    patches: int,
    *,
    steps: int | None = None,
    folded: bool = False,
    bridge_days: float | None = None,
) -> Calendar:
    """The steps of an archive: from its first clear day to its last.

    Steps that most patches cannot be known at, such as those of a dark winter, are left
    out.

    Args:
        days: (t,), datetime64[D], on which any patch was clear.
        seen: (t,), patches that were clear on each of them.
        patches: with any clear day.
        steps: how many; None: as many as a patch has clear days, 2 to 60.
        folded: take all years together; steps are then of one year.
        bridge_days: the longest gap to interpolate; None: 4 steps, 64 days or more.

    Raises:
        ValueError: no day, fewer than one step or gaps of less than no days.
    """
    if len(days) == 0 or patches < 1:
        raise ValueError("a calendar needs a clear day of a patch, got none")
    if steps is not None and steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if bridge_days is not None and bridge_days < 0:
        raise ValueError(f"bridge_days must not be negative, got {bridge_days}")
    share = np.minimum(seen / patches, 1.0)
    wanted = steps or int(np.clip(round(float(share.sum())), 2, MOST_STEPS))
    at = _numbers(days, folded=folded)
    first = 0.0 if folded else float(at.min())
    span = YEAR if folded else float(at.max()) - first + 1
    wanted = min(wanted, max(1, int(span)))
    width = span / wanted
    middles = np.floor(first + (np.arange(wanted) + 0.5) * width)
    bridge = (
        max(_BRIDGED * width, _LEAST_BRIDGED) if bridge_days is None else bridge_days
    )
    whole = Calendar(
        middles.astype(np.int64).astype("datetime64[D]"),
        width,
        bridge,
        _REACH * width,
        folded,
    )
    missed = np.ones(wanted)
    np.multiply.at(missed, whole.step_of(days), 1 - share)
    typical = _fill(whole, (1 - missed >= _TYPICAL)[None])[2][0]
    if not typical.any():
        typical[:] = True
    return Calendar(whole.steps[typical], width, bridge, whole.reach_days, folded)


def regular(
    patch_ids: NDArray[np.str_],
    components: NDArray[np.float32],
    clear: NDArray[np.bool_],
    days: NDArray[np.datetime64],
    steps: Calendar,
) -> Paths:
    """Put series on the steps of a calendar.

    Args:
        patch_ids: (n,)
        components: (n, t, r), finite where clear; not read elsewhere.
        clear: (n, t)
        days: (t,), datetime64[D].
        steps: the calendar.
    """
    n, _, r = components.shape
    s = len(steps)
    of = steps.step_of(days)
    total = np.zeros((n, s, r), np.float32)
    count = np.zeros((n, s), np.int32)
    for date in np.flatnonzero(of >= 0):
        here = clear[:, date]
        total[here, of[date]] += components[here, date]
        count[:, of[date]] += here
    total /= np.maximum(count, 1)[..., None]
    before, after, known, weight = _fill(steps, count > 0)
    row = np.arange(n)[:, None]
    late = weight[..., None]
    values = (1 - late) * total[row, before] + late * total[row, after]
    values[~known] = 0
    return Paths(patch_ids, values, known, count.sum(axis=1, dtype=np.int32))


_Fill = tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float32]
]


def _fill(steps: Calendar, seen: NDArray[np.bool_]) -> _Fill:
    """Where each step (n, s) is known from: steps before and after, and weight of the later."""
    s = seen.shape[1]
    middle = steps.middles
    if steps.folded:  # a year before and one after, so that the ends meet
        middle = np.concatenate([middle - YEAR, middle, middle + YEAR])
        seen = np.tile(seen, 3)
    wide = len(middle)
    place = np.arange(wide)
    before = np.maximum.accumulate(np.where(seen, place, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, place, wide)[:, ::-1], axis=1)[:, ::-1]
    has_before, has_after = before >= 0, after < wide
    before, after = np.maximum(before, 0), np.minimum(after, wide - 1)
    since = np.where(has_before, middle[None] - middle[before], np.inf)
    until = np.where(has_after, middle[after] - middle[None], np.inf)
    between = has_before & has_after & (since + until <= steps.bridge_days)
    near = np.minimum(since, until) <= steps.reach_days
    known = seen | between | near
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(since + until > 0, since / (since + until), 0.0)
    weight = np.where(between, weight, (until < since).astype(np.float64))
    if steps.folded:
        middle_year = slice(s, 2 * s)
        before, after = before[:, middle_year] % s, after[:, middle_year] % s
        known, weight = known[:, middle_year], weight[:, middle_year]
    return before, after, known, weight.astype(np.float32)


def _numbers(days: NDArray[np.datetime64], *, folded: bool) -> NDArray[np.float64]:
    """Days since 1970-01-01, or of the year from 0."""
    plain = days.astype("datetime64[D]")
    if folded:
        return np.asarray(plain - plain.astype("datetime64[Y]"), np.float64)
    return np.asarray(plain, np.float64)
