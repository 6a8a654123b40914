"""Optimal partitioning by sums, compiled or in NumPy; `changepoints` is the way in.

Arrays are checked by the caller and without gaps in memory: values (n, t, r), clear (n, t)
and penalty (n,).
"""

from collections.abc import Callable
from ctypes import CDLL, c_int, c_int64
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.ctypeslib import ndpointer
from numpy.typing import NDArray

from terradrift import kernels

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


def segment(
    values: Floats, clear: Flags, penalty: Floats, least: int
) -> tuple[Floats, Floats]:
    """What each break gains (n, t), NaN where no segment begins, and what is left (n,)."""
    gain, cost = np.full(clear.shape, np.nan), np.zeros(len(values))
    compiled = kernels.opened("changepoints")
    if compiled is None:
        if clear.size:
            _segment(values, clear, penalty, least, gain, cost)
        return gain, cost
    call = _compiled(compiled)[0]
    if call(values, clear, penalty, *values.shape, least, gain, cost):
        raise MemoryError("no memory left to segment series")
    return gain, cost


def single(values: Floats, clear: Flags, least: int) -> Places:
    """(n,) first clear date after the best single break, -1 where there is none."""
    compiled = kernels.opened("changepoints")
    if compiled is None:
        return _single(values, clear, least)
    first = np.empty(len(values), np.int64)
    if _compiled(compiled)[1](values, clear, *values.shape, least, first):
        raise MemoryError("no memory left to break series")
    return first


@cache
def _compiled(library: CDLL) -> tuple[Callable[..., int], Callable[..., int]]:
    floats, written = (
        ndpointer(np.float64, flags="C"),
        ndpointer(np.float64, flags=("C", "W")),
    )
    flags, places = (
        ndpointer(np.bool_, flags="C"),
        ndpointer(np.int64, flags=("C", "W")),
    )
    library.segment.argtypes = [floats, flags, floats, *[c_int64] * 4, written, written]
    library.single.argtypes = [floats, flags, *[c_int64] * 4, places]
    library.segment.restype = library.single.restype = c_int
    return library.segment, library.single


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Over the clear dates of `n` series, each moved to the front and less its mean."""

    count: Places
    """(n,), clear dates."""
    date: Places
    """(n, t), number of each of them among all dates."""
    total: Floats
    """(n, t + 1, r), sum of the values before each."""
    square: Floats
    """(n, t + 1), sum of their squared lengths."""


def _sums(values: Floats, clear: Flags) -> _Sums:
    n, t, r = values.shape
    count = clear.sum(axis=1)
    date = np.argsort(~clear, axis=1, kind="stable")
    there = (np.arange(t) < count[:, None])[..., None]
    dense = np.where(there, np.take_along_axis(values, date[..., None], 1), 0.0)
    total, square = np.zeros((n, t + 1, r)), np.zeros((n, t + 1))
    # Sums of values far from 0 would lose the scatter to rounding.
    mean = np.cumsum(dense, axis=1)[:, -1:] / np.maximum(count, 1)[:, None, None]
    centred = np.where(there, dense - mean, 0.0)
    np.cumsum(centred, axis=1, out=total[:, 1:])
    np.cumsum((centred * centred).sum(axis=2), axis=1, out=square[:, 1:])
    return _Sums(count, date, total, square)


def _segment(  # noqa: PLR0917 - as the kernel takes them
    values: Floats,
    clear: Flags,
    penalty: Floats,
    least: int,
    gain: Floats,
    cost: Floats,
) -> None:
    n, t, _ = values.shape
    sums = _sums(values, clear)
    best, left = np.full((n, t + 1), np.inf), np.zeros((n, t + 1))
    start = np.zeros((n, t + 1), np.int64)
    best[:, 0] = 0.0
    rows = np.arange(n)
    for end in range(least, t + 1):
        begins = np.arange(end - least + 1)
        gone = sums.total[:, end, None] - sums.total[:, begins]
        squared = (gone * gone).sum(axis=2) * (1.0 / (end - begins))
        within = np.maximum(
            sums.square[:, end, None] - sums.square[:, begins] - squared, 0
        )
        value = best[:, begins] + within
        start[:, end] = value.argmin(axis=1)
        chosen = start[:, end]
        best[:, end] = value[rows, chosen] + penalty
        left[:, end] = left[rows, chosen] + within[rows, chosen]
    long = sums.count >= 2 * least
    cost[:] = np.where(long, left[rows, sums.count], sums.square[rows, sums.count])
    found = np.flatnonzero(long)
    last = sums.count[found]
    while len(found):
        at = start[found, last]
        found, last, at = found[at > 0], last[at > 0], at[at > 0]
        gain[found, sums.date[found, at]] = _rise(
            sums, found, (start[found, at], at, last)
        )
        last = at


def _rise(sums: _Sums, rows: Places, edges: tuple[Places, Places, Places]) -> Floats:
    """How much one mean for the dates a..c costs more than two that meet at b: (m,)."""
    a, b, c = edges
    before, after = (b - a)[:, None], (c - b)[:, None]
    total = sums.total
    gap = (total[rows, c] - total[rows, b]) / after
    gap -= (total[rows, b] - total[rows, a]) / before
    share = (before * after / (before + after))[:, 0]
    rise: Floats = (gap * gap).sum(axis=1) * share
    return rise


def _single(values: Floats, clear: Flags, least: int) -> Places:
    n, t, _ = values.shape
    if t < 2 or n == 0:
        return np.full(n, -1, np.int64)
    sums = _sums(values, clear)
    before = np.arange(1, t)
    after = sums.count[:, None] - before
    squared = (sums.total[:, 1:-1] ** 2).sum(axis=2)
    # The sum of all is 0, so what lies after is minus what lies before.
    between = squared * (1.0 / before + 1.0 / np.maximum(after, 1))
    between = np.where((before >= least) & (after >= least), between, -np.inf)
    place = between.argmax(axis=1)
    rows = np.arange(n)
    found = np.isfinite(between[rows, place])
    return np.where(found, sums.date[rows, 1 + place], -1)
