"""Analogues: patches whose histories ran alongside, seen on the same date (pure).

For patch i and date d the distance of histories is
G(i, j) = sqrt(mean over dates q < d, both clear, of |f_i,q - f_j,q|^2);
the K nearest patches that are clear on d are the controls, with weights
exp(-4 G / median G), and the expected f_i,d is the weighted mean of their vectors on d.
Season, sun, haze and harvest cancel, even in the first year (METHODS 8b.1). Only dates
before the scored one enter G.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WEIGHT_FALL = 4.0
"""Weights fall by exp(-4) at the median distance of the controls."""


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """Who the patches are compared with on one date."""

    at: int
    """Number of the date."""
    rows: NDArray[np.int64]
    """(m,), the patches that have enough controls on it."""
    index: NDArray[np.int64]
    """(m, k), their controls in the pool, nearest first."""
    weight: NDArray[np.float32]
    """(m, k), sums to 1; 0 where there is no control."""


def controls(
    vectors: NDArray[np.float32],
    clear: NDArray[np.bool_],
    pool: NDArray[np.float32],
    pool_clear: NDArray[np.bool_],
    own: NDArray[np.int64],
    *,
    most: int,
    least: int,
) -> Iterator[Controls]:
    """Yield the controls of each date, in order of time.

    `vectors` (n, t, r) and `clear` (n, t) are the patches, `pool` (m, t, r) and
    `pool_clear` (m, t) those that may be their controls, `own` (n,) the patch's own place
    in the pool, -1 where it is not in it.
    """
    n, t, r = vectors.shape
    squared = np.zeros((n, len(pool)), np.float32)
    shared = np.zeros((n, len(pool)), np.float32)
    for at in range(t):
        rows, columns = np.flatnonzero(clear[:, at]), np.flatnonzero(pool_clear[:, at])
        if len(rows) == 0:
            continue
        if at > 0 and len(columns) > least:
            apart = squared[np.ix_(rows, columns)]
            both = shared[np.ix_(rows, columns)]
            with np.errstate(invalid="ignore", divide="ignore"):
                apart = np.sqrt(np.maximum(apart, 0.0) / both)  # NaN: no shared date
            apart[~(both > 0)] = np.inf
            place = np.searchsorted(columns, own[rows])
            place = np.minimum(place, len(columns) - 1)
            same = columns[place] == own[rows]
            apart[same, place[same]] = np.inf
            yield from _nearest(at, rows, columns, apart, most=most, least=least)
        squared += _gaps(vectors[:, at], clear[:, at], pool[:, at], pool_clear[:, at])
        shared += np.outer(clear[:, at], pool_clear[:, at]).astype(np.float32)


def _nearest(
    at: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    apart: NDArray[np.float32],
    *,
    most: int,
    least: int,
) -> Iterator[Controls]:
    k = min(most, len(columns))
    near = np.argpartition(apart, k - 1, axis=1)[:, :k]
    distance = np.take_along_axis(apart, near, 1)
    order = np.lexsort((near, distance), axis=1)
    near = np.take_along_axis(near, order, 1)
    distance = np.take_along_axis(distance, order, 1)
    found = np.isfinite(distance)
    enough = found.sum(axis=1) >= least
    if not enough.any():
        return
    near, distance, found = near[enough], distance[enough], found[enough]
    middle = distance[np.arange(len(near)), (found.sum(axis=1) - 1) // 2]
    weight = np.exp(-WEIGHT_FALL * distance / np.maximum(middle, 1e-12)[:, None])
    weight[~found] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    yield Controls(at, rows[enough], columns[near], weight.astype(np.float32))


def _gaps(
    left: NDArray[np.float32],
    left_clear: NDArray[np.bool_],
    right: NDArray[np.float32],
    right_clear: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """(n, m) squared distances where both are clear, 0 elsewhere, as one matrix product."""
    seen, there = left_clear[:, None], right_clear[:, None]
    a = np.where(seen, left, 0.0)
    b = np.where(there, right, 0.0)
    wide = np.concatenate([-2.0 * a, (a * a).sum(1, keepdims=True), seen], axis=1)
    long = np.concatenate([b, there, (b * b).sum(1, keepdims=True)], axis=1)
    product: NDArray[np.float32] = wide.astype(np.float32) @ long.astype(np.float32).T
    return product


def expected(
    found: Controls, pool: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the patches should look like on the date: (m, r), and controls (m, k, r).

    `pool` is (p, t, r).
    """
    seen = pool[found.index, found.at]
    return np.einsum("mk,mkr->mr", found.weight, seen), seen
