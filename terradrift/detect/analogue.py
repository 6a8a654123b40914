"""Analogues: patches whose histories ran alongside, seen on the same date (pure).

For patch i and date d the distance of histories is
G(i, j) = sqrt(mean over dates q < d, both clear, of |f_i,q - f_j,q|^2);
the K nearest patches that are clear on d are the controls, with weights
exp(-4 G / median G) (at most a sixth of the patches clear on d), and the expected f_i,d is the weighted median of their vectors on d.
Season, sun, haze and harvest cancel, even in the first year (METHODS 8b.1). Only dates
before the scored one enter G.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import alongside, calibrate
from terradrift.kernels import opened

_MEDIAN_STEPS = 5
_LIKE_SHARE = 6
"""At most one in so many patches is an analogue: in a small archive the rest is unlike."""
_ROWS = 64
_NOWHERE = np.uint64(0x7F800000FFFFFFFF)  # infinitely far, at -1
WEIGHT_FALL = 4.0
"""Weights fall by exp(-4) at the median distance of the controls."""


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Vectors of `n` patches on `t` dates."""

    vectors: NDArray[np.float32]
    """(n, t, r), zeros where not clear."""
    clear: NDArray[np.bool_]
    """(n, t)"""


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """Who the patches are compared with on one date."""

    at: int
    """Number of the date."""
    rows: NDArray[np.int64]
    """(m,), the patches that have enough controls on it."""
    index: NDArray[np.integer]
    """(m, k), their controls in the pool, nearest first; -1 where there is none."""
    weight: NDArray[np.float32]
    """(m, k), sums to 1; 0 where there is no control."""


def controls(
    patches: Histories,
    pool: Histories,
    own: NDArray[np.int64],
    *,
    most: int,
    least: int,
    columns: NDArray[np.int64] | None = None,
) -> Iterator[Controls]:
    """Yield the controls of each date that has any, in order of time.

    `own` (n,) is each patch's own place in the pool, -1 where it is not in it: no patch is
    its own control. `columns` (t,) place the dates among the pool's, where it has others.
    """
    if opened("analogue") is not None:
        if columns is None:
            columns = np.arange(patches.clear.shape[1])
        seen = pool.clear.sum(axis=0)[columns]
        wanted = np.where(seen >= least, _count(seen, most, least), 0)
        asked = alongside.Asked(own, columns, wanted, most)
        return _compiled(patches, pool, asked, least)
    if columns is not None:
        pool = Histories(pool.vectors[:, columns], pool.clear[:, columns])
    return _plain(patches, pool, own, most, least)


def _compiled(
    patches: Histories, pool: Histories, asked: alongside.Asked, least: int
) -> Iterator[Controls]:
    """By the kernel: a few patches at a time beside the pool, date after date."""
    kernel = opened("analogue")
    if kernel is None or not patches.clear.any():
        return
    index, mean = alongside.nearest(
        kernel, (patches.vectors, patches.clear), (pool.vectors, pool.clear), asked
    )
    for at, k in enumerate(asked.wanted):
        rows = np.flatnonzero(patches.clear[:, at])
        if len(rows) and k:
            apart = np.sqrt(mean[rows, at, :k])
            yield from _weighted(at, rows, index[rows, at, :k], apart, least)


def _count(seen: NDArray[np.int64] | int, most: int, least: int) -> NDArray[np.int64]:
    """How many analogues are taken where so many patches of the pool are clear."""
    count: NDArray[np.int64] = np.minimum(
        most, np.maximum(least, np.asarray(seen) // _LIKE_SHARE)
    )
    return count


def _plain(
    patches: Histories,
    pool: Histories,
    own: NDArray[np.int64],
    most: int,
    least: int,
) -> Iterator[Controls]:
    """The same in NumPy, patches by the pool at once."""
    squared = np.zeros((len(patches.clear), len(pool.clear)), np.float32)
    shared = np.zeros_like(squared)
    guess = np.full((len(squared), 2 * most), -1)
    for at in range(patches.clear.shape[1]):
        rows = np.flatnonzero(patches.clear[:, at])
        there = pool.clear[:, at]
        seen = int(there.sum())
        k = int(_count(seen, most, least))
        if len(rows) and seen >= least:
            near = np.empty((len(rows), k), np.int64)
            distance = np.empty((len(rows), k), np.float32)
            for start in range(0, len(rows), _ROWS):
                part = slice(start, start + _ROWS)
                here = rows[part]
                apart = _history_distance(squared[here], shared[here], there)
                inside = np.flatnonzero(own[here] >= 0)
                apart[inside, own[here[inside]]] = np.nan
                bound = _bound(apart, guess[here], k)
                places, values = _smallest(apart, bound, 2 * most)
                guess[here] = places
                near[part], distance[part] = places[:, :k], values[:, :k]
            yield from _weighted(at, rows, near, np.sqrt(distance), least)
        squared += gaps(
            patches.vectors[:, at], patches.clear[:, at], pool.vectors[:, at], there
        )
        shared[rows] += there.astype(np.float32)


def _history_distance(
    squared: NDArray[np.float32],
    shared: NDArray[np.float32],
    there: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """G squared of (m, p), NaN where never seen on one date and where not `there`."""
    np.maximum(squared, 0.0, out=squared)
    with np.errstate(invalid="ignore"):
        squared /= shared  # 0 / 0 where never
    squared += np.where(there, np.float32(0), np.float32(np.nan))
    return squared


def _bound(
    apart: NDArray[np.float32], guess: NDArray[np.int64], k: int
) -> NDArray[np.float32]:
    """(m,), no less than the k-th smallest of each row: that of those at `guess`."""
    some = np.take_along_axis(apart, np.maximum(guess, 0), axis=1)
    some[guess < 0] = np.nan
    bound = np.partition(some, k - 1, axis=1)[:, k - 1]
    loose = np.flatnonzero(np.isnan(bound))
    if len(loose) and apart.shape[1] >= k:
        bound[loose] = np.partition(apart[loose], k - 1, axis=1)[:, k - 1]
    return np.where(np.isnan(bound), np.float32(np.inf), bound)


def _smallest(
    apart: NDArray[np.float32], bound: NDArray[np.float32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(m, most) places and values of those within `bound`, nearest first.

    -1 and infinity where there are fewer. Ties stand in order of place: a key is the bits
    of a value, which sort as the value does where it is not negative, and the place.
    """
    m, p = apart.shape
    flat = np.flatnonzero(apart <= bound[:, None])
    row, place = np.divmod(flat.astype(np.uint32), np.uint32(p))
    count = np.bincount(row, minlength=m)
    rank = np.arange(len(flat)) - (np.cumsum(count) - count)[row]
    keys = np.full((m, max(most, count.max(initial=0))), _NOWHERE)
    bits = apart.ravel()[flat].view(np.uint32).astype(np.uint64)
    keys[row, rank] = bits << np.uint64(32) | place
    keys.sort(axis=1)
    keys = keys[:, :most]
    values = (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
    places = keys.astype(np.uint32).view(np.int32)  # the low half
    return places.astype(np.int64), values


def _weighted(
    at: int,
    rows: NDArray[np.int64],
    near: NDArray[np.integer],
    distance: NDArray[np.float32],
    least: int,
) -> Iterator[Controls]:
    found = np.isfinite(distance)
    enough = found.sum(axis=1) >= least
    if not enough.any():
        return
    near, distance, found = near[enough], distance[enough], found[enough]
    middle = distance[np.arange(len(near)), (found.sum(axis=1) - 1) // 2]
    weight = np.exp(-WEIGHT_FALL * distance / np.maximum(middle, 1e-12)[:, None])
    weight[~found] = 0.0
    total = weight.sum(axis=1, keepdims=True)
    yield Controls(at, rows[enough], near, (weight / total).astype(np.float32))


def gaps(
    left: NDArray[np.float32],
    left_clear: NDArray[np.bool_],
    right: NDArray[np.float32],
    right_clear: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """(n, m) squared distances of (n, r) and (m, r) rows; 0 unless both are clear.

    One matrix product does it: of rows [-2a, |a|^2, 1] and [b, 1, |b|^2].
    """
    seen = left_clear[:, None].astype(np.float32)
    there = right_clear[:, None].astype(np.float32)
    a, b = left * seen, right * there
    wide = np.concatenate([-2.0 * a, (a * a).sum(1, keepdims=True), seen], axis=1)
    long = np.concatenate([b, there, (b * b).sum(1, keepdims=True)], axis=1)
    product: NDArray[np.float32] = wide @ long.T
    return product


def expected(
    found: Controls, pool: NDArray[np.float32], column: int
) -> NDArray[np.float32]:
    """What the patches should look like on the date: (m, r).

    `pool` (p, t, r) are the pool's vectors, the date is its number `column`. The weighted
    geometric median of the controls (Weiszfeld 1937): where up to half of them changed too,
    it stays with the rest.
    """
    kernel = opened("analogue")
    if kernel is None:
        return _middles(found, pool[:, column])
    return alongside.middles(
        kernel, found.index, found.weight, pool, (column, _MEDIAN_STEPS)
    )


def _middles(found: Controls, pool: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same in NumPy; `pool` (p, r) are its vectors of the date."""
    there = found.index >= 0
    seen = pool[np.where(there, found.index, 0)]  # of weight 0 where there is none
    middle: NDArray[np.float32] = np.einsum("mk,mkr->mr", found.weight, seen)
    for _ in range(_MEDIAN_STEPS):
        gap = seen - middle[:, None]
        apart = np.sqrt(np.einsum("mkr,mkr->mk", gap, gap))
        # A control that stands on the estimate must not hold it there.
        typical = calibrate.masked_median(apart, there)[:, None].astype(np.float32)
        pull = found.weight / np.fmax(apart, 0.01 * typical + 1e-12)
        pull /= np.maximum(pull.sum(axis=1, keepdims=True), 1e-30)
        middle = np.einsum("mk,mkr->mr", pull, seen)
    return middle
