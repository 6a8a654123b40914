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
from terradrift.detect.novelty import distances
from terradrift.detect.windows import sliding

_TINY = 1e-10  # scikit-learn's, against division by zero
_SPAN = 128
"""Observations of a patch that are scored at once."""
_CHUNK_BYTES = 1 << 22


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
    if len(kept) < len(rows):
        rows = rows[kept]
    distances, near = knn(
        rows,
        rows,
        min(k, len(kept) - 1),
        exclude_self=True,
        backend=backend,
        device=device,
        threads=threads,
    )
    reach = np.maximum(distances, distances[near, -1])
    density = 1 / (reach.mean(axis=1, dtype=np.float64) + _TINY)
    scores = np.full(len(places), np.nan)
    scores[kept] = density[near].mean(axis=1) / density
    return scores[places].astype(np.float32)


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
        """Score `n` patches over `t` days, as `protocol.SeriesDetector`.

        Besides the scores, memory is some 20 MB, and that of one patch's distances
        within a reference, a guard and 128 observations where these are more.
        """
        scores = np.full(clear.shape, np.nan, np.float32)
        guard = np.timedelta64(max(1, self.guard_days), "D")
        whole = days.astype("datetime64[D]")
        earlier = np.searchsorted(whole, whole - guard, side="right")
        for patches in self._alike(clear.sum(axis=1), vectors.shape[2]):
            at, ends = past(clear[patches], earlier)
            for first in range(0, at.shape[1], _SPAN):
                row, query = np.nonzero(
                    ends[:, first : first + _SPAN] >= self.min_reference
                )
                if len(row) == 0:
                    continue
                query += first
                end = ends[row, query]
                width = np.minimum(end, self.max_reference)
                begin, until = int((end - width).min()), int(query.max()) + 1
                apart = distances(vectors[patches[:, None], at[:, begin:until]])
                scores[patches[row], at[row, query]] = sliding(
                    apart, row, query - begin, end - width - begin, width, k=self.k
                )
        return scores

    def _alike(
        self, count: NDArray[np.int64], width: int
    ) -> Iterator[NDArray[np.int64]]:
        """Patches of similar `count` (n,) of observations; not those with too few.

        As many at once as `_CHUNK_BYTES` hold distances, and half vectors, of.
        """
        order = np.argsort(-count, kind="stable")
        order = order[: np.count_nonzero(count > self.min_reference)]
        while len(order):
            longest = min(int(count[order[0]]), _SPAN + self.max_reference)
            each = 2 * longest * max(2 * longest, width)
            size = max(1, _CHUNK_BYTES // each)
            yield order[:size]
            order = order[size:]


def past(
    clear: NDArray[np.bool_], earlier: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The clear observations of (n, t), side by side, and how many are each one's past.

    `earlier` (t,) is how many days are the past of each day. Returns (n, m) numbers of the
    days, the last one repeated where a patch has fewer, and (n, m) ends, 0 for the repeated.
    """
    count = clear.sum(axis=1)[:, None]
    place = np.arange(count.max())
    first = np.argsort(~clear, axis=1, kind="stable")
    at = np.take_along_axis(first, np.minimum(place, count - 1), axis=1)
    total = np.pad(np.cumsum(clear, axis=1), ((0, 0), (1, 0)))
    ends = np.take_along_axis(total, earlier[at], axis=1)
    return at, np.where(place < count, ends, 0)
