"""Which observations of a patch are its no-change set on a date (pure).

Always clear observations of days before the guard, so a date that comes changes nothing that
was said before. The set of all the past grows by an eighth at a time: a new fit at every
date would cost much, and move the scale under scores that are compared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.lof import past

WINDOWS = ("past", "first", "last")
"""All the past; the first so many clear observations; the last so many."""
_GROWTH = 8


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The clear observations of `n` patches side by side, and the no-change set of each."""

    at: NDArray[np.int64]
    """(n, m), number of the day; the last one repeated where a patch has fewer."""
    start: NDArray[np.int64]
    """(n, m), place in the row where the observation's set begins."""
    width: NDArray[np.int64]
    """(n, m), observations in the set, which lie beside each other; 0: none."""


def references(
    days: NDArray[np.datetime64],
    clear: NDArray[np.bool_],
    *,
    window: str,
    reference: int,
    min_reference: int,
    guard_days: int,
) -> References:
    """The no-change set of each clear observation.

    Args:
        days: (t,), ascending.
        clear: (n, t), at least one True.
        window: one of `WINDOWS`.
        reference: observations in the set, of `first` and (at most) of `last`.
        min_reference: the least of `past` and `last`.
        guard_days: days before an observation of which nothing is in its set.
    """
    whole = days.astype("datetime64[D]")
    guard = np.timedelta64(max(1, guard_days), "D")
    earlier = np.searchsorted(whole, whole - guard, side="right")
    at, ends = past(clear, earlier)
    start = np.zeros_like(ends)
    if window == "first":
        width = np.where(ends >= reference, reference, 0)
    elif window == "last":
        width = np.where(ends >= min_reference, np.minimum(ends, reference), 0)
        start = ends - width
    else:
        steps = rungs(min_reference, int(ends.max(initial=0)))
        place = np.searchsorted(steps, ends, side="right")
        width = np.where(place > 0, steps[place - 1], 0)
    return References(at, start, width)


def rungs(least: int, most: int) -> NDArray[np.int64]:
    """Sizes from `least` on, each an eighth (at least one) above the last, up to `most`."""
    sizes = [least]
    while sizes[-1] < most:
        sizes.append(sizes[-1] + max(1, sizes[-1] // _GROWTH))
    return np.array(sizes, np.int64)
