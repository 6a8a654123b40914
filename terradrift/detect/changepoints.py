"""Change points: where the mean of a series shifts, once or several times (pure).

Penalised least squares: the segmentation of all clear dates that makes the squared
distances to the segments' means, plus a penalty per break, smallest. It is exact, by
optimal partitioning (Jackson and others 2005; PELT, Killick, Fearnhead and Eckley 2012,
has the same optimum) over sums before each date, quadratic in the dates. A history is
judged as a whole: the place of a break depends on later dates too.

Series may be scores (n, t) or reduced histories (n, t, r). Dates that are not clear are
skipped, as if they had not been.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import partition
from terradrift.detect.calibrate import masked_median

_BLOCK_BYTES = 8 << 20
"""Values that are worked on at once, so that copies stay small."""
_HALF_NORMAL = 0.6745
"""Median of the absolute value of a standard normal variable."""


@dataclass(frozen=True, slots=True, eq=False)
class Breaks:
    """All breaks of `n` series, in the order of series, then time."""

    row: NDArray[np.int64]
    """(m,), number of the series."""
    first: NDArray[np.int64]
    """(m,), number of the first clear date after the break."""
    gain: NDArray[np.float64]
    """(m,), what the squares would grow by if the two segments beside it were one."""
    cost: NDArray[np.float64]
    """(n,), sum of squared distances to the segments' means, penalties not counted."""


def segment(
    values: NDArray[np.floating],
    clear: NDArray[np.bool_],
    penalty: NDArray[np.floating] | float,
    least: int = 3,
    *,
    threads: int = 1,
) -> Breaks:
    """Break each series where that gains more than the penalty; exact.

    Args:
        values: (n, t) or (n, t, r), finite where clear.
        clear: (n, t), which dates count.
        penalty: what a break must gain at least, in squared units of `values`, one for
            all or (n,); `usual_penalty` gives one.
        least: clear dates that a segment has at least.
        threads: series are shared out over so many.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, a penalty that is
            negative or not finite, `least` or `threads` below 1.
    """
    values, clear = _checked(values, clear, least, threads)
    n = len(values)
    if np.ndim(penalty) and np.shape(penalty) != (n,):
        raise ValueError(
            f"penalty must be one number or ({n},), got {np.shape(penalty)}"
        )
    each = np.ascontiguousarray(np.broadcast_to(penalty, (n,)), np.float64)
    if not (np.isfinite(each) & (each >= 0)).all():
        raise ValueError("penalty must be finite and at least 0")
    gain = np.empty(clear.shape)
    cost = np.empty(n)

    def work(at: slice) -> None:
        one = np.ascontiguousarray(values[at], np.float64)
        gain[at], cost[at] = partition.segment(one, clear[at], each[at], least)

    _share(work, values, threads)
    row, first = np.nonzero(np.isfinite(gain))
    return Breaks(row, first, gain[row, first], cost)


def single(
    values: NDArray[np.floating],
    clear: NDArray[np.bool_],
    least: int = 1,
    *,
    threads: int = 1,
) -> NDArray[np.int64]:
    """(n,) number of the first clear date after the best single break of each series.

    -1 where fewer than 2 x `least` dates are clear. Arguments and errors as `segment`.
    """
    values, clear = _checked(values, clear, least, threads)
    first = np.full(len(values), -1, np.int64)

    def work(at: slice) -> None:
        one = np.ascontiguousarray(values[at], np.float64)
        first[at] = partition.single(one, clear[at], least)

    _share(work, values, threads)
    return first


def usual_penalty(
    values: NDArray[np.floating], clear: NDArray[np.bool_], weight: float = 2.0
) -> NDArray[np.float64]:
    """(n,) `weight` x noise x log(clear dates): the penalty of Schwarz at `weight` 2.

    A break in one dimension adds two parameters, its place and a mean. The noise (squared,
    of all dimensions together) is that of steps from one clear date to the next, by their
    median, so that breaks do not count as noise; a season does. With fewer than two clear
    dates it is 0.
    """
    values, clear = _checked(values, clear, 1, 1)
    n, t = clear.shape
    order = np.argsort(~clear, axis=1, kind="stable")
    dense = np.take_along_axis(values, order[..., None], 1).astype(np.float64)
    count = clear.sum(axis=1)
    between = np.arange(1, t) < count[:, None]
    step = np.where(between[..., None], np.diff(dense, axis=1), 0.0)
    noise = np.zeros(n)
    for k in range(values.shape[2]):
        typical = masked_median(np.abs(step[..., k]), between) if t > 1 else np.zeros(n)
        noise += np.nan_to_num(typical / _HALF_NORMAL) ** 2 / 2.0
    penalty: NDArray[np.float64] = weight * noise * np.log(np.maximum(count, 1))
    return penalty


def _checked(
    values: NDArray[np.floating], clear: NDArray[np.bool_], least: int, threads: int
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """`values` as (n, t, r) and `clear` without gaps in memory."""
    if values.ndim not in {2, 3} or values.shape[:2] != clear.shape:
        raise ValueError(
            "expected values (n, t) or (n, t, r) and clear (n, t), got "
            f"{values.shape} and {clear.shape}"
        )
    for name, number in (("least", least), ("threads", threads)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    if values.ndim == 2:
        values = values[..., None]
    clear = np.ascontiguousarray(clear, np.bool_)
    finite = np.isfinite(values)
    if not finite.all() and not finite[clear].all():
        raise ValueError(
            "values must be finite where clear; pass clear & np.isfinite(values)"
        )
    return values, clear


def _share(
    work: Callable[[slice], None], values: NDArray[np.floating], threads: int
) -> None:
    """Call `work` for all series, a bounded number of them at a time."""
    n = len(values)
    each = 8 * max(1, values.shape[1] * values.shape[2])
    step = max(1, min(_BLOCK_BYTES // each, -(-n // threads)))
    parts = [slice(at, min(at + step, n)) for at in range(0, n, step)]
    if threads == 1 or len(parts) < 2:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))
