"""Novelty LOF: observations against references of their own, many at once (pure).

By scikit-learn's formulas, as in `lof`, for any reference; `windows` is quicker for those
that are windows of a series.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.half import single

FAR = np.finfo(np.float32).max
"""Distance of an observation to itself in `distances`: it is not its own neighbour."""
TINY = 1e-10  # scikit-learn's, against division by zero
_ROWS_BYTES = 1 << 21  # float64 rows that fit a core's cache


def distances(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, t, t), Euclidean distances among the observations (n, t, d) of each patch.

    By float64 products around the patch's mean; what lies below their resolution is 0, so
    that equal observations are at distance 0. Of an observation to itself: `FAR`.
    """
    n, t, d = rows.shape
    out = np.empty((n, t, t), np.float32)
    step = max(1, _ROWS_BYTES // (8 * max(1, t * max(t, d))))
    for start in range(0, n, step):
        wide = single(rows[start : start + step])
        centred = np.subtract(wide, wide.mean(axis=1, keepdims=True), dtype=np.float64)
        squared = centred @ centred.transpose(0, 2, 1)
        norms = np.einsum("ntt->nt", squared).copy()
        squared *= -2
        squared += norms[:, :, None]
        squared += norms[:, None, :]
        rough = 8 * d**0.5 * 2.0**-52 * norms
        # Few are so near that their own norms must be asked.
        few = np.nonzero(squared <= 2 * rough.max(axis=1)[:, None, None])
        bound = rough[few[:2]] + rough[few[::2]]
        squared[few] = np.where(squared[few] <= bound, 0, squared[few])
        # Rounded once, at the end: rounding more often would make near distances equal.
        np.sqrt(squared, out=squared)
        np.copyto(out[start : start + step], squared, casting="same_kind")
    out[:, np.arange(t), np.arange(t)] = FAR
    return out


def novelty(
    gaps: NDArray[np.float32],
    apart: NDArray[np.float32],
    member: NDArray[np.bool_],
    k: int = 20,
) -> NDArray[np.float32]:
    """Score `b` observations, each against a reference of its own.

    As `LocalOutlierFactor(n_neighbors=k, novelty=True)` fitted to the members and asked
    for the observation, for all `b` at once.

    Args:
        gaps: (b, r), distance of the observation to each candidate of its reference.
        apart: (b, r, r), distances among the candidates.
        member: (b, r), which candidates the reference holds; the other distances are
            not read.
        k: neighbours; one less than the members where that is less.

    Returns:
        (b,), NaN where the reference has fewer than two members, or where its members
        are all equal and the observation is not: nothing gives a scale then.
    """
    width = member.shape[1]
    if width < 2:
        return np.full(len(gaps), np.nan, np.float32)
    k_each = np.minimum(k, member.sum(axis=1) - 1)  # (b,)
    member = _capped(apart, member, k_each)
    k_each = np.minimum(k_each, member.sum(axis=1) - 1)
    most = max(1, int(k_each.max(initial=1)))
    used = np.arange(most) < k_each[:, None]  # (b, most)
    last = np.maximum(k_each - 1, 0)

    other = member[:, None, :] & ~np.eye(width, dtype=bool)
    distance, near = nearest(np.where(other, apart, np.inf), most)  # (b, r, most)
    k_distance = np.take_along_axis(distance, last[:, None, None], axis=2)[..., 0]
    density = _density(distance, near, k_distance[:, None], used[:, None])

    gap, closest = nearest(np.where(member, gaps, np.inf)[:, None], most)  # (b, 1, m)
    own = _density(gap, closest, k_distance[:, None], used[:, None])[:, 0]
    around = np.take_along_axis(density, closest[:, 0], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.where(used, around, 0).sum(axis=1) / k_each / own
    spread = np.where(member, k_distance, 0).max(axis=1)
    flat = (spread == 0) & (gap[:, 0, 0] > 0)
    scores[(k_each < 1) | flat] = np.nan
    return np.asarray(scores, dtype=np.float32)


def _capped(
    apart: NDArray[np.float32], member: NDArray[np.bool_], k_each: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """`member` without those that have k equal members before them."""
    earlier = np.tri(member.shape[1], k=-1, dtype=bool)
    same = (apart == 0) & earlier & member[:, None, :]
    if not same.any():
        return member
    before = np.count_nonzero(same, axis=2)
    return np.asarray(member & (before < np.maximum(k_each, 1)[:, None]))


def nearest(
    distances: NDArray[np.floating], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k smallest of the last axis and where they stand; ties in order of place.

    Distance and place are packed into one integer, which sorts several times faster
    than an indirect sort: non-negative floats compare as their bits do.
    """
    bits = distances.astype(np.float32).view(np.uint32).astype(np.uint64)
    keys = (bits << np.uint64(32)) | np.arange(distances.shape[-1], dtype=np.uint64)
    if k < keys.shape[-1]:
        keys.partition(k - 1, axis=-1)
        keys = np.ascontiguousarray(keys[..., :k])
    keys.sort(axis=-1)
    nearest = (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return nearest, (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _density(
    distance: NDArray[np.float32],
    near: NDArray[np.int64],
    k_distance: NDArray[np.float32],
    used: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(b, q), local reachability density of q points from their nearest (b, q, k)."""
    across = np.broadcast_to(k_distance, (*near.shape[:2], k_distance.shape[2]))
    reach = np.maximum(distance, np.take_along_axis(across, near, axis=2))
    total = np.where(used, reach, 0).sum(axis=2, dtype=np.float64)
    return np.asarray(1 / (total / np.maximum(used.sum(axis=2), 1) + TINY))
