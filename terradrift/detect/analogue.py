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

_MEDIAN_STEPS = 5
_LIKE_SHARE = 6
"""At most one in so many patches is an analogue: in a small archive the rest is unlike."""
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
    index: NDArray[np.int64]
    """(m, k), their controls in the pool, nearest first."""
    weight: NDArray[np.float32]
    """(m, k), sums to 1; 0 where there is no control."""


def controls(
    patches: Histories,
    pool: Histories,
    own: NDArray[np.int64],
    *,
    most: int,
    least: int,
) -> Iterator[Controls]:
    """Yield the controls of each date that has any, in order of time.

    `own` (n,) is each patch's own place in the pool, -1 where it is not in it: no patch is
    its own control.
    """
    squared = np.zeros((len(patches.clear), len(pool.clear)), np.float32)
    shared = np.zeros_like(squared)
    for at in range(patches.clear.shape[1]):
        rows = np.flatnonzero(patches.clear[:, at])
        columns = np.flatnonzero(pool.clear[:, at])
        if len(rows) and len(columns) >= least:
            apart = _history_distance(squared, shared, rows, columns)
            place = np.minimum(np.searchsorted(columns, own[rows]), len(columns) - 1)
            same = columns[place] == own[rows]
            apart[same, place[same]] = np.inf
            k = min(most, max(least, len(columns) // _LIKE_SHARE))
            yield from _nearest(at, rows, columns, apart, most=k, least=least)
        squared += gaps(
            patches.vectors[:, at],
            patches.clear[:, at],
            pool.vectors[:, at],
            pool.clear[:, at],
        )
        shared += np.outer(patches.clear[:, at], pool.clear[:, at])


def _history_distance(
    squared: NDArray[np.float32],
    shared: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float32]:
    """G of `rows` and `columns`, infinite where they were never seen on one date."""
    both = shared[np.ix_(rows, columns)]
    apart = np.maximum(squared[np.ix_(rows, columns)], 0.0)
    apart /= np.maximum(both, 1.0)
    np.sqrt(apart, out=apart)
    apart[both == 0] = np.inf
    return apart


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
    found = np.isfinite(distance)
    enough = found.sum(axis=1) >= least
    if not enough.any():
        return
    near, distance, found = near[enough], distance[enough], found[enough]
    order = np.lexsort((near, distance), axis=1)
    near = np.take_along_axis(near, order, 1)
    distance = np.take_along_axis(distance, order, 1)
    found = np.take_along_axis(found, order, 1)
    middle = distance[np.arange(len(near)), (found.sum(axis=1) - 1) // 2]
    weight = np.exp(-WEIGHT_FALL * distance / np.maximum(middle, 1e-12)[:, None])
    weight[~found] = 0.0
    total = weight.sum(axis=1, keepdims=True)
    yield Controls(at, rows[enough], columns[near], (weight / total).astype(np.float32))


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
    found: Controls, pool: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the patches should look like on the date (m, r), and their controls (m, k, r).

    `pool` (p, r) are the pool's vectors of that date. The weighted geometric median of the
    controls (Weiszfeld 1937): where up to half of them changed too, it stays with the rest.
    """
    seen = pool[found.index]
    middle = np.einsum("mk,mkr->mr", found.weight, seen)
    for _ in range(_MEDIAN_STEPS):
        gap = seen - middle[:, None]
        apart = np.sqrt(np.einsum("mkr,mkr->mk", gap, gap))
        # A control that stands on the estimate must not hold it there.
        typical = np.median(apart, axis=1, keepdims=True)
        pull = found.weight / np.maximum(apart, 0.01 * typical + 1e-12)
        pull /= np.maximum(pull.sum(axis=1, keepdims=True), 1e-30)
        middle = np.einsum("mk,mkr->mr", pull, seen)
    return middle, seen
