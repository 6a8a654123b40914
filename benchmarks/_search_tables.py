"""Tables of search quality: cells with intervals, and the rows of a page."""

from collections.abc import Iterable, Sequence

import numpy as np
from _search_rank import MEASURES, Asked, interval, pooled
from numpy.typing import NDArray
from protocols import _interval

from terradrift.evaluate.measures import Interval

Table = list[tuple[str, ...]]
AT = {name: number for number, name in enumerate(MEASURES)}


def cell(values: NDArray[np.float64], name: str) -> str:
    """Mean of a measure over events (e, measures), with its interval."""
    return _interval(interval(values[:, AT[name]]))


def plain(values: NDArray[np.float64], name: str) -> str:
    """Mean of a measure over events, where it is defined."""
    known = values[:, AT[name]]
    known = known[np.isfinite(known)]
    return f"{known.mean():.2f}" if len(known) else "-"


def whole(parts: Sequence[Asked]) -> tuple[str, ...]:
    """One row of measures: some with intervals."""
    values, _ = pooled(parts)
    if not len(values):
        return ("0", *("-",) * 9)
    return (
        str(len(values)),
        plain(values, "P@1"),
        plain(values, "P@5"),
        cell(values, "P@10"),
        plain(values, "P@20"),
        cell(values, "R"),
        plain(values, "chance"),
        cell(values, "AP"),
        plain(values, "AP chance"),
        plain(values, "false@10"),
    )


WHOLE = (
    "events asked with",
    "P@1",
    "P@5",
    "P@10",
    "P@20",
    "R-precision",
    "chance",
    "mean AP",
    "AP by chance",
    "false among 10",
)


def by_kind(parts: Sequence[Asked], kinds: Iterable[str]) -> list[str]:
    """R-precision and chance of each kind of query, and how many events asked."""
    values, names = pooled(parts)
    out = []
    for kind in kinds:
        own = values[names == kind]
        out.append(
            f"{plain(own, 'R')} ({plain(own, 'chance')}; {len(own)})"
            if len(own)
            else "-"
        )
    return out


def difference(first: Sequence[Asked], second: Sequence[Asked], name: str) -> Interval:
    """By how much the measure is more in `second`: the same events asked in both."""
    one, _ = pooled(first)
    other, _ = pooled(second)
    return interval(other[:, AT[name]] - one[:, AT[name]])
