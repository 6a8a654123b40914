"""How far a series is from the path of its own regime, date by date (pure).

The published method has no score of change; this is the natural one (`docs/taxonomy.md`): d_t =
|x_t - c_{k,t}| from the mean of the other members of its regime on the same date, and how that
compares with the others' own distances. Season and weather are on both sides, so neither
counts. Only the same date is looked at; whether the future is in a score depends on the labels
alone: on what period the regimes were fitted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 8
"""Members that must be seen on a date for one of them to be judged by the others."""
_LEFT_OUT = 64
"""Up to so many members, each is judged without itself; beyond, one moves no median."""
_MAD = 1.4826
_LEAST_MAD = 0.05
"""Least deviation as a share of the median distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Deviations:
    """Scores of `n` series on `t` dates; NaN where they cannot be given."""

    distance: NDArray[np.float32]
    """(n, t), from the mean of the other members."""
    excess: NDArray[np.float32]
    """(n, t), distance less the median distance of the other members on the date."""
    z: NDArray[np.float32]
    """(n, t), excess in robust deviations (1.4826 MAD) of the others' distances."""
    p_value: NDArray[np.float32]
    """(n, t), share of members on the date that are at least as far, itself among them."""
    members: NDArray[np.int32]
    """(n, t), other members of the regime seen on the date; 0 of a series in no regime."""


def deviations(
    vectors: NDArray[np.floating],
    known: NDArray[np.bool_],
    labels: NDArray[np.integer],
    *,
    least: int = LEAST,
) -> Deviations:
    """Judge every series by the other members of its regime on the same date.

    In regimes of up to 64 members seen, median and deviation leave the judged one out, as the
    mean always does: what changed must not widen what it is judged by.

    Args:
        vectors: (n, t, d), finite where known.
        known: (n, t), where a series was seen.
        labels: (n,), regime of each series; below 0: in none, not judged.
        least: members seen on a date below which none is judged.

    Raises:
        ValueError: shapes that do not fit, or `least` below 3.
    """
    if (
        vectors.ndim != 3
        or vectors.shape[:2] != known.shape
        or len(labels) != len(known)
    ):
        raise ValueError(
            "expected vectors (n, t, d), known (n, t) and labels (n,), got "
            f"{vectors.shape}, {known.shape} and {labels.shape}"
        )
    if least < 3:
        raise ValueError(f"least must be at least 3, got {least}")
    distance, excess, z, p_value = np.full((4, *known.shape), np.nan, np.float32)
    members = np.zeros(known.shape, np.int32)
    for label in np.unique(labels[labels >= 0]):
        own = np.flatnonzero(labels == label)
        for date in range(known.shape[1]):
            rows = own[known[own, date]]
            members[own, date] = len(rows)
            members[rows, date] -= 1
            if len(rows) < least:
                continue
            (
                distance[rows, date],
                excess[rows, date],
                z[rows, date],
                p_value[rows, date],
            ) = _judged(vectors[rows, date].astype(np.float64))
    return Deviations(distance, excess, z, p_value, members)


def _judged(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Distance, excess, z and p-value of (m, d) members of one regime on one date."""
    m = len(vectors)
    # The mean without a member is farther from it by m / (m - 1).
    distance = np.linalg.norm(vectors - vectors.mean(axis=0), axis=1) * (m / (m - 1))
    if m <= _LEFT_OUT:
        others = np.broadcast_to(distance, (m, m))[~np.eye(m, dtype=bool)]
        others = others.reshape(m, m - 1)
        middle = np.median(others, axis=1)
        spread = np.median(np.abs(others - middle[:, None]), axis=1)
    else:
        middle = np.full(m, np.median(distance))
        spread = np.full(m, np.median(np.abs(distance - middle)))
    excess = distance - middle
    spread = np.maximum(_MAD * spread, _LEAST_MAD * middle)
    z = np.divide(excess, spread, out=np.zeros(m), where=spread > 0)
    farther = m - np.searchsorted(np.sort(distance), distance)
    return distance, excess, z, farther / m


def beyond_own(values: NDArray[np.floating], *, least: int = 4) -> NDArray[np.float32]:
    """(n, t) each value less the median of the series' own earlier ones.

    What always stands apart from its regime, such as a patch on a border, has not changed.
    NaN where fewer than `least` earlier values are known.

    Args:
        values: (n, t) in order of time, NaN where not known.
        least: at least 1.
    """
    if least < 1:
        raise ValueError(f"least must be at least 1, got {least}")
    found = np.full(values.shape, np.nan, np.float32)
    known = np.isfinite(values)
    before = np.cumsum(known, axis=1) - known
    for date in range(values.shape[1]):
        rows = np.flatnonzero(known[:, date] & (before[:, date] >= least))
        if len(rows):
            past = np.nanmedian(values[rows, :date], axis=1)
            found[rows, date] = values[rows, date] - past
    return found
