"""Local outlier factor of the members of sets, each in its set without it (pure).

The same numbers as `novelty` with one member fewer at a time, without the cube of distances
that it would take. With all others as neighbours, nothing is nearer than a member's farthest
other one: the largest and the second largest distance of each row say everything. With k
neighbours, leaving one out moves every list of k + 1 nearest by one place at most.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.novelty import TINY, nearest, novelty

_BYTES = 4 << 20


def factors(among: NDArray[np.float32], k: int) -> NDArray[np.float64]:
    """(f, r) factor of each member among the others of its set.

    Args:
        among: (f, r, r), distances within the sets, r at least 3; the diagonal is not read.
        k: neighbours, 1 or more; one less than the others where that is less.

    Returns:
        NaN where the others are all equal and the member is not.
    """
    f, r, _ = among.shape
    out = np.empty((f, r))
    if k < r - 2:
        for number in range(f):
            out[number] = _among_few(among[number], k)
        return out
    step = max(1, _BYTES // (64 * r * r))
    for at in range(0, f, step):
        out[at : at + step] = _among_all(among[at : at + step])
    return out


def _among_all(among: NDArray[np.float32]) -> NDArray[np.float64]:
    """(f, r), all others but one as neighbours."""
    r = among.shape[1]
    place = np.arange(r)
    apart = among.astype(np.float64)
    apart[:, place, place] = -1.0
    largest = np.partition(apart, (r - 2, r - 1), axis=2)[..., r - 2 :]
    farthest = apart.argmax(axis=2)
    # (f, r, r), the reach of each member (last axis) without the one left out.
    reach = np.where(
        farthest[:, None] == place[:, None],
        largest[:, None, :, 0],
        largest[:, None, :, 1],
    )
    reach[:, place, place] = 0.0
    spread = reach.max(axis=2)
    density = 1 / ((reach.sum(axis=2)[..., None] - reach) / (r - 2) + TINY)
    # Of the r - 1 others the farthest is no neighbour; of equal ones the last.
    dropped = r - 1 - apart[..., ::-1].argmax(axis=2)
    used = (place != dropped[..., None]) & (place != place[:, None])
    own = np.where(used, np.maximum(apart, reach), 0).sum(axis=2) / (r - 2) + TINY
    score = np.where(used, density, 0).sum(axis=2) / (r - 2) * own
    apart[:, place, place] = np.inf
    # One place counts for at most k: of two equal others one is left, and nothing to it.
    score[(spread == 0) & ((apart.min(axis=2) > 0) | (r == 3))] = np.nan
    return np.asarray(score, np.float64)


def _among_few(among: NDArray[np.float32], k: int) -> NDArray[np.float64]:
    """(r,), the k nearest others as neighbours, k less than r - 2."""
    r = len(among)
    apart = among.copy()
    np.fill_diagonal(apart, np.inf)
    distance, near = nearest(apart, k + 1)
    if (distance[:, k - 1] == 0).any():
        return _crowded(among, k)
    listed = np.zeros((r, r), bool)
    np.put_along_axis(listed, near[:, :k], True, axis=1)
    # (r, r), k-distance of each member (last axis) without the one left out.
    reach = np.where(listed.T, distance[:, k], distance[:, k - 1])
    out = np.empty(r)
    step = max(1, _BYTES // (32 * k * (k + 1)))
    for at in range(0, r, step):
        left = np.arange(at, min(at + step, r))
        around = near[left, :k]
        theirs, others = distance[around], near[around]
        moved = np.logical_or.accumulate(others == left[:, None, None], axis=2)[..., :k]
        theirs = np.where(moved, theirs[..., 1:], theirs[..., :k])
        others = np.where(moved, others[..., 1:], others[..., :k])
        far = np.maximum(theirs, reach[left[:, None, None], others])
        density = 1 / (far.mean(axis=2, dtype=np.float64) + TINY)
        own = np.maximum(distance[left, :k], reach[left[:, None], around])
        out[left] = density.mean(axis=1) * (own.mean(axis=1, dtype=np.float64) + TINY)
    return out


def _crowded(among: NDArray[np.float32], k: int) -> NDArray[np.float64]:
    """The same where more than k are equal: one place counts for k only.

    Members of a place that keeps k without them all score alike; what stands elsewhere never
    sees more than k of them.
    """
    r = len(among)
    place = np.arange(r)
    same = (among == 0) | (place == place[:, None])
    kept = np.flatnonzero((same & np.tri(r, k=-1, dtype=bool)).sum(axis=1) < k)
    many = same.sum(axis=1) > k
    if len(kept) == r:  # within rounding, equal to equals is not always equal
        many[:] = True
        first = place
    else:
        first = same.argmax(axis=1)
    out = np.full(r, np.nan)
    if 3 <= len(kept) < r:
        out[kept] = factors(among[None, kept[:, None], kept], k)[0]
    for number in np.unique(first[many]):
        others = (place != number)[None]
        own = novelty(among[None, number], among[None], others, k)[0]
        out[many & (first == number)] = own
    return out
