"""Steps: how far and how clearly a patch went from one state to another (pure).

For every split of a history the two means, and the distance between them in units of the
scatter around them (the F statistic of one break, as a root). A harvest returns, so its
means hardly differ; a building does not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.calibrate import masked_median


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """Sums over the dates before each split, of `n` patches; all splits at O(1) each."""

    count: NDArray[np.float64]
    """(n, t + 1), clear dates before split j."""
    total: NDArray[np.float64]
    """(n, t + 1, r), sum of their vectors, less `center`."""
    square: NDArray[np.float64]
    """(n, t + 1), sum of their squared lengths, less `center`."""
    center: NDArray[np.float64]
    """(n, r), mean over the whole history."""


def tempered(
    vectors: NDArray[np.float32], clear: NDArray[np.bool_], limit: float
) -> NDArray[np.float32]:
    """Pull observations that lie beyond `limit` typical distances from the patch's median to it.

    The typical distance is the patch's median one. An unmasked cloud then weighs as much
    as any other observation, and a lasting state, being common, stays where it is.
    """
    middle = masked_median(vectors, clear).astype(np.float32)
    middle = np.nan_to_num(middle)[:, None]
    apart = np.linalg.norm(vectors - middle, axis=2)
    typical = np.nan_to_num(masked_median(apart, clear))
    share = np.minimum(1.0, limit * typical[:, None] / np.maximum(apart, 1e-12))
    pulled = middle + (vectors - middle) * share[..., None].astype(np.float32)
    return np.where(clear[..., None], pulled, np.float32(0.0))


def running(vectors: NDArray[np.floating], clear: NDArray[np.bool_]) -> Running:
    """Sums of (n, t, r) vectors where (n, t) `clear`."""
    seen = clear[..., None]
    length = np.maximum(clear.sum(axis=1), 1)
    center = (
        np.where(seen, vectors, 0.0).sum(axis=1, dtype=np.float64) / length[:, None]
    )
    # Sums of values far from 0 would lose the scatter to rounding.
    centred = np.where(seen, vectors - center[:, None], 0.0)
    pad = ((0, 0), (1, 0))
    return Running(
        np.pad(np.cumsum(clear, axis=1, dtype=np.float64), pad),
        np.pad(np.cumsum(centred, axis=1), (*pad, (0, 0))),
        np.pad(np.cumsum(np.einsum("ntr,ntr->nt", centred, centred), axis=1), pad),
        center,
    )


def strength(sums: Running, least: int) -> NDArray[np.float64]:
    """(n, t) |mean after - mean before| sqrt(b a / (b + a)) / scatter of a split before date t.

    0 where fewer than `least` clear dates lie on either side.
    """
    before = sums.count[:, :-1]
    whole = sums.count[:, -1:]
    after = whole - before
    allowed = (before >= least) & (after >= least)
    b, a = np.maximum(before, 1.0), np.maximum(after, 1.0)
    # The total of all is 0, so what lies after is minus what lies before.
    squared = np.einsum("ntr,ntr->nt", sums.total[:, :-1], sums.total[:, :-1])
    between = squared / b + squared / a  # equals |difference|^2 b a / (b + a)
    within = np.maximum(sums.square[:, -1:] - between, 0.0) / np.maximum(whole - 2, 1.0)
    floor = 1e-9 * np.maximum(sums.square[:, -1:], 1e-30)
    return np.where(allowed, np.sqrt(between / (within + floor)), 0.0)


def excursion(
    sums: Running, least: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """The strongest state that came and went, of each patch.

    Returns strength (n,), as `strength` of the window against all other dates, and the
    first date (n,) of the window and of what follows it. At least `least` clear dates lie
    inside, before and after; the window holds at most half of all. 0 where there is none.
    """
    n, t = sums.count.shape[0], sums.count.shape[1] - 1
    best = np.zeros(n)
    first = np.zeros(n, np.int64)
    after = np.zeros(n, np.int64)
    whole = sums.count[:, -1]
    scatter = sums.square[:, -1]
    for start in range(1, t):
        inside = sums.count[:, start + 1 :] - sums.count[:, start, None]
        rest = whole[:, None] - inside
        allowed = (inside >= least) & (inside <= rest)
        allowed &= (sums.count[:, start] >= least)[:, None]
        allowed &= whole[:, None] - sums.count[:, start + 1 :] >= least
        if not allowed.any():
            continue
        gone = sums.total[:, start + 1 :] - sums.total[:, start, None]
        squared = np.einsum("ntr,ntr->nt", gone, gone)
        between = squared / np.maximum(inside, 1) + squared / np.maximum(rest, 1)
        within = np.maximum(scatter[:, None] - between, 0.0)
        within /= np.maximum(whole - 2, 1.0)[:, None]
        floor = 1e-9 * np.maximum(scatter, 1e-30)[:, None]
        value = np.where(allowed, np.sqrt(between / (within + floor)), 0.0)
        end = value.argmax(axis=1)
        value = value[np.arange(n), end]
        better = value > best
        best[better], first[better] = value[better], start
        after[better] = start + 1 + end[better]
    return best, first, after


def window(
    sums: Running, first: NDArray[np.int64], after: NDArray[np.int64], least: int
) -> NDArray[np.float64]:
    """(n,) strength of one window `first` to `after` (n,) each, as in `excursion`."""
    each = np.arange(len(first))
    inside = sums.count[each, after] - sums.count[each, first]
    rest = sums.count[:, -1] - inside
    gone = sums.total[each, after] - sums.total[each, first]
    squared = np.einsum("nr,nr->n", gone, gone)
    between = squared / np.maximum(inside, 1) + squared / np.maximum(rest, 1)
    scatter = sums.square[:, -1]
    within = np.maximum(scatter - between, 0.0) / np.maximum(sums.count[:, -1] - 2, 1.0)
    allowed = (inside >= least) & (rest >= least)
    floor = 1e-9 * np.maximum(scatter, 1e-30)
    return np.where(allowed, np.sqrt(between / (within + floor)), 0.0)
