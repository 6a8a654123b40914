"""Labelled objects as wholes: which were found, how near in time, and how high (pure)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate.dating import error_days
from terradrift.evaluate.ground import Reported
from terradrift.evaluate.intervals import Draws
from terradrift.evaluate.measures import Interval
from terradrift.evaluate.result import Found, Object
from terradrift.evaluate.truth import Objects

TOPS = (10, 50, 100)
_UNRANKED = np.iinfo(np.int64).max


def things(
    objects: Objects,
    reported: Reported,
    draws: Draws,
    *,
    days: Sequence[int],
    min_share: float,
) -> Found | None:
    """Judge objects by the changes on the patches that stand for them; None without objects.

    A patch stands for an object that fills `min_share` of it, or, where it fills no patch
    so far, the patch it fills most. An event counts for an object's rank where one of its
    changes on these patches lies within the largest of `days` of its date, or where it has
    no date.
    """
    m = len(objects)
    if m == 0:
        return None
    main = objects.main(min_share)
    of, patch = objects.object[main], objects.patch[main]
    pair, change = _meeting(patch, reported.patch)
    which = of[pair]
    error = error_days(
        reported.onset[change], objects.onset[which], objects.latest[which]
    )
    dated = ~np.isnat(objects.onset)
    hit = np.zeros(m, bool)
    hit[which] = True
    near = np.full(m, np.inf)
    np.minimum.at(near, which, np.where(np.isnan(error), np.inf, np.abs(error)))
    best = np.full(m, _UNRANKED)
    ranked = (reported.rank[change] > 0) & (
        ~dated[which] | (np.abs(error) <= max(days))
    )
    np.minimum.at(best, which[ranked], reported.rank[change[ranked]])
    # Each object lies in one block: blocks that share one are joined.
    share = _Shares(draws, _first_patch(of, patch, m))
    return Found(
        count=m,
        dated=int(dated.sum()),
        hit=share(hit, np.ones(m, bool)),
        within={n: share((near <= n) & dated, dated) for n in days},
        rank_days=max(days),
        in_top={k: float((best <= k).mean()) for k in TOPS},
        each=_each(
            objects,
            patches=np.bincount(of, minlength=m),
            reported=np.bincount(of[np.unique(pair)], minlength=m),
            nearest=_nearest(m, which, error),
            best=best,
        ),
    )


class _Shares:
    """Shares of objects, drawn with the blocks that their patches lie in."""

    def __init__(self, draws: Draws, patch: NDArray[np.int64]) -> None:
        self._draws = replace(draws, block=draws.block[patch])

    def __call__(self, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Interval:
        return self._draws.share(part, whole)


def _meeting(
    patch: NDArray[np.int64], changed: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of places in `patch` (p,) and in `changed` (c,) with the same number."""
    order = np.argsort(changed, kind="stable")
    first = np.searchsorted(changed, patch, "left", sorter=order)
    count = np.searchsorted(changed, patch, "right", sorter=order) - first
    pair = np.repeat(np.arange(len(patch)), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return pair, order[first[pair] + step]


def _first_patch(
    of: NDArray[np.int64], patch: NDArray[np.int64], m: int
) -> NDArray[np.int64]:
    found = np.zeros(m, np.int64)
    found[of[::-1]] = patch[::-1]
    return found


def _nearest(
    m: int, which: NDArray[np.int64], error: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(m,) the error nearest to 0 of each object, NaN where it has none."""
    nearest = np.full(m, np.nan)
    far_first = np.argsort(-np.abs(error), kind="stable")
    far_first = far_first[np.isfinite(error[far_first])]
    nearest[which[far_first]] = error[far_first]
    return nearest


def _each(
    objects: Objects,
    *,
    patches: NDArray[np.int64],
    reported: NDArray[np.int64],
    nearest: NDArray[np.float64],
    best: NDArray[np.int64],
) -> tuple[Object, ...]:
    """Objects one by one, from arrays (m,)."""
    return tuple(
        Object(
            name=str(objects.name[row]),
            class_name=str(objects.kind[row]),
            onset=_iso(objects.onset[row]),
            latest=_iso(objects.latest[row]),
            patches=int(patches[row]),
            reported=int(reported[row]),
            days=float(nearest[row]),
            rank=int(best[row]) if best[row] < _UNRANKED else None,
        )
        for row in range(len(objects))
    )


def _iso(day: np.datetime64) -> str | None:
    return None if np.isnat(day) else str(day)
