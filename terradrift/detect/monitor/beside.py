"""Analogues over a reference period, and what they let expect on one date (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.analogue import WEIGHT_FALL
from terradrift.detect.calibrate import masked_median
from terradrift.detect.monitor.fixed import product
from terradrift.detect.monitor.rules import Rules

_LIKE_SHARE = 6
"""At most one in so many patches is an analogue: in a small archive the rest is unlike."""
_RESERVE = 2
"""Analogues kept for each that is used: some are under cloud."""
_STEPS = 5
_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Reduced vectors of `n` patches on `t` dates."""

    vectors: NDArray[np.float32]
    """(n, t, r), zeros where not clear."""
    clear: NDArray[np.bool_]
    """(n, t)"""

    def on(self, columns: NDArray[np.int64]) -> "Past":
        """The dates `columns` alone."""
        return Past(self.vectors[:, columns], self.clear[:, columns])


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The analogues of `n` patches in the pool, nearest first."""

    index: NDArray[np.int32]
    """(n, k), place in the pool; -1 where there is none."""
    distance: NDArray[np.float32]
    """(n, k), root mean square distance of the histories; infinite where there is none."""


def most(pool: int, rules: Rules) -> int:
    """How many analogues a patch is compared with at most, with `pool` to choose from."""
    return min(rules.controls, max(rules.min_controls, pool // _LIKE_SHARE))


def nearest(patches: Past, pool: Past, own: NDArray[np.int64], rules: Rules) -> Chosen:
    """The pool patches whose histories ran nearest, over dates on which both were clear.

    `own` (n,) is each patch's own place in the pool, or -1: no patch is its own analogue.
    A patch seen together on fewer than half of the patch's dates is none either.
    """
    kept = min(len(pool.clear), _RESERVE * most(len(pool.clear), rules))
    there = pool.clear.astype(np.float32)
    right = _wide(pool, 1.0, swap=True).T
    index = np.full((len(own), kept), -1, np.int32)
    distance = np.full((len(own), kept), np.inf, np.float32)
    for start in range(0, len(own), _ROWS):
        part = slice(start, start + _ROWS)
        some = Past(patches.vectors[part], patches.clear[part])
        squared = np.maximum(product(_wide(some, -2.0, swap=False), right), 0.0)
        shared = product(some.clear.astype(np.float32), there.T)
        seen = some.clear.sum(axis=1, keepdims=True)
        known = (shared > 0) & (2 * shared >= seen)
        inside = np.flatnonzero(own[part] >= 0)
        known[inside, own[part][inside]] = False
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = np.where(known, np.sqrt(squared / shared), np.float32(np.inf))
        # Of equally near ones the first in the pool: places ascend before they are sorted.
        near = np.sort(np.argpartition(apart, kept - 1, axis=1)[:, :kept], axis=1)
        order = np.argsort(np.take_along_axis(apart, near, 1), axis=1, kind="stable")
        near = np.take_along_axis(near, order, 1)
        distance[part] = np.take_along_axis(apart, near, 1)
        index[part] = np.where(np.isfinite(distance[part]), near, -1)
    return Chosen(index, distance)


def _wide(past: Past, factor: float, *, swap: bool) -> NDArray[np.float32]:
    """(n, t r + 2 t), so that one product of two such rows sums squared distances."""
    n = len(past.clear)
    seen = past.clear.astype(np.float32)
    square = (past.vectors * past.vectors).sum(axis=2)
    tail = [square, seen] if swap else [seen, square]
    flat = past.vectors.reshape(n, -1)
    return np.concatenate([np.float32(factor) * flat, *tail], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What `m` patches should look like on one date."""

    vectors: NDArray[np.float32]
    """(m, r)"""
    used: NDArray[np.int32]
    """(m, k), the analogues that were clear, nearest first; -1 beyond them."""

    @property
    def count(self) -> NDArray[np.int64]:
        """(m,), how many."""
        found: NDArray[np.int64] = (self.used >= 0).sum(axis=1)
        return found


def expected(
    index: NDArray[np.int32],
    distance: NDArray[np.float32],
    pool: NDArray[np.float32],
    clear: NDArray[np.bool_],
    rules: Rules,
) -> Expected:
    """The weighted geometric median (Weiszfeld 1937) of the analogues clear on the date.

    `index` and `distance` (m, k) are of `Chosen`, `pool` (p, r) the pool's vectors of the
    date and `clear` (p,) which of them may be used. Where up to half of the analogues
    changed too, it stays with the rest. No row depends on another.
    """
    k = min(index.shape[1], most(len(clear), rules))
    used = np.full((len(index), k), -1, np.int32)
    vectors = np.zeros((len(index), pool.shape[1]), np.float32)
    for start in range(0, len(index), _ROWS):
        part = slice(start, start + _ROWS)
        usable = (index[part] >= 0) & clear[index[part]]
        first = np.argsort(~usable, axis=1, kind="stable")[:, :k]
        valid = np.take_along_axis(usable, first, 1)
        near = np.take_along_axis(index[part], first, 1)
        apart = np.take_along_axis(distance[part], first, 1)
        used[part] = np.where(valid, near, -1)
        vectors[part] = _median(pool[near], _weights(apart, valid), valid)
    return Expected(vectors, used)


def _weights(
    apart: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(m, k), falling to exp(-4) at the median distance, sums to 1; 0 where not valid."""
    middle = np.nan_to_num(masked_median(apart, valid)).astype(np.float32)
    finite = np.where(valid, apart, np.float32(0))
    fall = np.exp(-WEIGHT_FALL * finite / np.maximum(middle, 1e-12)[:, None])
    weight: NDArray[np.float32] = np.where(valid, fall, 0).astype(np.float32)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), np.float32(1e-30))
    return weight


def _median(
    seen: NDArray[np.float32], weight: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(m, r) of (m, k, r)."""
    middle: NDArray[np.float32] = np.matmul(weight[:, None], seen)[:, 0]
    for _ in range(_STEPS):
        gap = seen - middle[:, None]
        apart = np.sqrt(np.einsum("mkr,mkr->mk", gap, gap))
        # An analogue that stands on the estimate must not hold it there.
        typical = np.nan_to_num(masked_median(apart, valid)).astype(np.float32)
        pull = weight / np.maximum(apart, 0.01 * typical[:, None] + np.float32(1e-12))
        pull /= np.maximum(pull.sum(axis=1, keepdims=True), np.float32(1e-30))
        middle = np.matmul(pull[:, None], seen)[:, 0]
    return middle


def residuals(
    patches: Past, pool: Past, chosen: Chosen, rules: Rules
) -> NDArray[np.float32]:
    """(n, t, r), vectors less the expected ones; NaN where it cannot be told."""
    out = np.full_like(patches.vectors, np.nan)
    for at in range(patches.clear.shape[1]):
        rows = np.flatnonzero(patches.clear[:, at])
        found = expected(
            chosen.index[rows],
            chosen.distance[rows],
            pool.vectors[:, at],
            pool.clear[:, at],
            rules,
        )
        enough = found.count >= rules.min_controls
        rows = rows[enough]
        out[rows, at] = patches.vectors[rows, at] - found.vectors[enough]
    return out
