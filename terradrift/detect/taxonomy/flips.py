"""Which regime a series would be given at each time by itself, and when that turned (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NONE = -1
MARGIN = 0.3
"""Chosen on simulated ground that does not change, where it leaves a tenth of the patches
turning between regimes of ground; 0.1 leaves a quarter."""


@dataclass(frozen=True, slots=True, eq=False)
class Flips:
    """How often `n` series left a regime for another."""

    labels: NDArray[np.int32]
    """(n, t), the regime of each step, -1 before the first that is known."""
    count: NDArray[np.int32]
    """(n,), turns."""
    last: NDArray[np.int64]
    """(n,), step from which the last regime holds, -1 where it never turned."""
    held: NDArray[np.int32]
    """(n,), known steps from the last turn on; of one that never turned, all."""


def flips(
    vectors: NDArray[np.floating],
    known: NDArray[np.bool_],
    centroids: NDArray[np.floating],
    *,
    window: int = 3,
    margin: float = MARGIN,
    hold: int = 3,
) -> Flips:
    """Follow the nearest regime through time, with some reluctance to turn.

    At each step the distance to a regime's path is the mean of |x_t - c_{l,t}| over the last
    `window` known steps. The regime turns to a nearer one where that is nearer by `margin` of
    the distance to the present one, and stays so for `hold` known steps; it is dated to the
    first of them. Each label looks at no later step but those `hold`.

    Args:
        vectors: (n, t, d), finite where known.
        known: (n, t).
        centroids: (k, t, d), paths of the regimes at the same steps.
        window: known steps that a label is from, at least 1.
        margin: 0 up to 1.
        hold: known steps that a turn must last, at least 1.

    Raises:
        ValueError: shapes that do not fit, or a setting out of range.
    """
    if vectors.shape[:2] != known.shape or vectors.shape[1:] != centroids.shape[1:]:
        raise ValueError(
            "expected vectors (n, t, d), known (n, t) and centroids (k, t, d), got "
            f"{vectors.shape}, {known.shape} and {centroids.shape}"
        )
    if len(centroids) < 1 or window < 1 or hold < 1 or not 0 <= margin < 1:
        raise ValueError(
            "expected a centroid, window and hold of at least 1 and margin in 0..1, got "
            f"{len(centroids)}, {window}, {hold} and {margin}"
        )
    t = known.shape[1]
    # Known steps first, so that windows and holds count these alone.
    order = np.argsort(~known, axis=1, kind="stable")
    count = known.sum(axis=1)
    seen = np.arange(t) < count[:, None]
    apart = np.take_along_axis(_distances(vectors, centroids), order[..., None], axis=1)
    of, turned = _followed(_running(apart, window), seen, margin, hold)
    # A step that is not known keeps the regime of the one before.
    place = np.cumsum(known, axis=1) - 1
    filled = np.take_along_axis(of, np.maximum(place, 0), axis=1)
    rank = np.where(turned, np.arange(t), -1).max(axis=1, initial=-1)
    ever = rank >= 0
    at = (
        np.take_along_axis(order, np.maximum(rank, 0)[:, None], axis=1)[:, 0]
        if t
        else rank
    )
    return Flips(
        np.where(place >= 0, filled, NONE).astype(np.int32),
        turned.sum(axis=1, dtype=np.int32),
        np.where(ever, at, -1).astype(np.int64),
        (count - np.maximum(rank, 0)).astype(np.int32),
    )


def _distances(
    vectors: NDArray[np.floating], centroids: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Distances (n, t, k) of vectors (n, t, d) from paths (k, t, d)."""
    out = np.empty((*vectors.shape[:2], len(centroids)), np.float32)
    for number, path in enumerate(centroids):
        out[..., number] = np.linalg.norm(vectors - path, axis=2)
    return out


def _running(apart: NDArray[np.float32], window: int) -> NDArray[np.float64]:
    """(n, t, k) mean of each step and up to `window` - 1 before it."""
    total = np.cumsum(apart, axis=1, dtype=np.float64)
    total[:, window:] -= total[:, :-window].copy()
    counts = np.minimum(np.arange(1, apart.shape[1] + 1), window)
    mean: NDArray[np.float64] = total / counts[:, None]
    return mean


def _followed(
    apart: NDArray[np.float64], seen: NDArray[np.bool_], margin: float, hold: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """(n, t) the regime of each step, and where it turns; `seen` are the leading steps."""
    n, t, _ = apart.shape
    rows = np.arange(n)
    nearest = apart.argmin(axis=2)
    of, turned = np.full((n, t), NONE, np.int32), np.zeros((n, t), bool)
    # The first regime is the one that holds over the first steps together.
    start = np.where(seen[:, :hold, None], apart[:, :hold], 0.0).sum(axis=1)
    now = start.argmin(axis=1)
    for step in range(t):
        near = nearest[:, step]
        turns = seen[:, step] & (near != now)
        for ahead in range(step, step + hold):
            if ahead >= t:
                turns[:] = False
                break
            closer = apart[rows, ahead, near] < (1 - margin) * apart[rows, ahead, now]
            turns &= seen[:, ahead] & (nearest[:, ahead] == near) & closer
        now = np.where(turns, near, now)
        turned[:, step] = turns
        of[:, step] = now
    return of, turned
