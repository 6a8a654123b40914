"""Local outlier factor: of rows among themselves, and of observations against their past.

Breunig, Kriegel, Ng and Sander 2000, with the formulas of scikit-learn's
`LocalOutlierFactor`: local reachability density is 1 / (mean reachability distance to
the k nearest + 1e-10), the factor is the mean density of the k nearest over the own one.
About 1: as dense as its neighbourhood; the larger, the more outlying.

Equal rows: where more than k rows stand at one place, their k-distance is 0, their
density 1e10, and every row near them scores in the millions. Here one place counts for
at most k rows, so every k-distance reaches another place; the rows beyond get the
score of their place. Without such places the scores are scikit-learn's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.duplicates import groups, rank
from terradrift.detect.neighbours import knn

_TINY = 1e-10  # scikit-learn's, against division by zero
_BLOCK_BYTES = 1 << 25


def lof(
    rows: NDArray[np.floating],
    k: int = 20,
    *,
    backend: str = "auto",
    device: str = "cpu",
    threads: int = 1,
) -> NDArray[np.float32]:
    """Score each row among all rows, as `LocalOutlierFactor(n_neighbors=k)`.

    Args:
        rows: (n, d), finite.
        k: neighbours; the other rows where there are fewer.
        backend: as in `neighbours.knn`.
        device: likewise.
        threads: likewise.

    Returns:
        (n,), above 0, about 1 inside clusters; NaN where there are fewer than two rows.

    Raises:
        ValueError: `k` below 1, and as `knn`.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    k = min(k, len(rows) - 1)
    if k < 1:
        return np.full(len(rows), np.nan, np.float32)
    places = groups(rows)
    kept = np.flatnonzero(rank(places) < k)
    if len(kept) == 1:  # two equal rows
        return np.ones(len(rows), np.float32)
    distances, near = knn(
        rows[kept],
        rows[kept],
        min(k, len(kept) - 1),
        exclude_self=True,
        backend=backend,
        device=device,
        threads=threads,
    )
    reach = np.maximum(distances, distances[near, -1])
    density = 1 / (reach.mean(axis=1, dtype=np.float64) + _TINY)
    scores = np.full(len(rows), np.nan)
    scores[kept] = density[near].mean(axis=1) / density
    return scores[places].astype(np.float32)


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
    distance, near = _nearest(np.where(other, apart, np.inf), most)  # (b, r, most)
    k_distance = np.take_along_axis(distance, last[:, None, None], axis=2)[..., 0]
    density = _density(distance, near, k_distance[:, None], used[:, None])

    gap, nearest = _nearest(np.where(member, gaps, np.inf)[:, None], most)  # (b, 1, m)
    own = _density(gap, nearest, k_distance[:, None], used[:, None])[:, 0]
    around = np.take_along_axis(density, nearest[:, 0], axis=1)
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
    width = member.shape[1]
    same = (apart == 0) & member[:, None, :]
    if np.count_nonzero(same) <= len(member) * width:
        return member  # at most the diagonal
    before = (same & np.tri(width, k=-1, dtype=bool)).sum(axis=2)
    return np.asarray(member & (before < np.maximum(k_each, 1)[:, None]))


def _nearest(
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
    return np.asarray(1 / (total / np.maximum(used.sum(axis=2), 1) + _TINY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lof:
    """Novelty LOF of each observation against the patch's own clear past.

    Nothing is corrected for season: a past of a year or more holds the seasons as
    clusters, and each is judged by its own density.
    """

    k: int = 20
    """Neighbours; fewer where the past is short."""
    min_reference: int = 8
    """Abstain below so many past clear observations."""
    max_reference: int = 60
    """The latest so many past clear observations are the reference."""
    guard_days: int = 0
    """Observations less than so many days before are not used: the change itself may
    have begun then."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be at least 1, got {self.k}")
        if not 2 <= self.min_reference <= self.max_reference:
            raise ValueError(
                "min_reference must be between 2 and max_reference "
                f"({self.max_reference}), got {self.min_reference}"
            )
        if self.guard_days < 0:
            raise ValueError(f"guard_days must not be negative, got {self.guard_days}")

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score `n` patches over `t` days, as `protocol.SeriesDetector`."""
        scores = np.full(clear.shape, np.nan, np.float32)
        ages = (days[:, None] - days).astype("timedelta64[D]").astype(np.int64)
        past = (ages > 0) & (ages >= self.guard_days)  # (t, t)
        for block in _blocks(vectors.shape):
            apart = distances(vectors[block], clear[block])
            for day in range(len(days)):
                member = self._reference(clear[block], past[day])
                rows = clear[block, day] & (member.sum(axis=1) >= self.min_reference)
                if rows.any():
                    cols = np.flatnonzero(member[rows].any(axis=0))
                    near = apart[rows][:, :, cols]
                    scores[block, day][rows] = novelty(
                        near[:, day], near[:, cols], member[rows][:, cols], self.k
                    )
        return scores

    def _reference(
        self, clear: NDArray[np.bool_], past: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        member = clear & past
        later = np.cumsum(member[:, ::-1], axis=1)[:, ::-1]  # itself and later ones
        return np.asarray(member & (later <= self.max_reference))


def distances(
    vectors: NDArray[np.floating], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(n, t, t), Euclidean distance between the clear observations of each patch.

    By float64 products around the patch's mean; what lies below their resolution is 0, so
    that equal observations are at distance 0. Rows that are not clear mean nothing.
    """
    rows = np.where(clear[..., None], vectors, 0).astype(np.float64)
    count = np.maximum(clear.sum(axis=1), 1)
    rows -= rows.sum(axis=1, keepdims=True) / count[:, None, None]
    rows[~clear] = 0
    norms = np.einsum("ntd,ntd->nt", rows, rows)
    sums = norms[:, :, None] + norms[:, None, :]
    squared = sums - 2 * (rows @ rows.transpose(0, 2, 1))
    squared[squared <= 8 * rows.shape[2] ** 0.5 * 2.0**-52 * sums] = 0
    return np.asarray(np.sqrt(squared), dtype=np.float32)


def _blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    n, t, d = shape
    step = max(1, _BLOCK_BYTES // (8 * max(1, t * max(t, d))))
    for start in range(0, n, step):
        yield slice(start, start + step)
