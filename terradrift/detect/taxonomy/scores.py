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
class Norms:
    """What `k` regimes look like on `t` dates, and how far their members are from that."""

    mean: NDArray[np.float64]
    """(k, t, d), of the members seen; zeros where there are none."""
    count: NDArray[np.int32]
    """(k, t), members seen."""
    distances: NDArray[np.float64]
    """(k, t, m), ascending, of each member from the mean of the others; infinite beyond."""
    median: NDArray[np.float64]
    """(k, t), of these distances; NaN where a member alone or none is seen."""
    spread: NDArray[np.float64]
    """(k, t), 1.4826 MAD of them."""


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


def norms(
    vectors: NDArray[np.floating],
    known: NDArray[np.bool_],
    labels: NDArray[np.integer],
    regimes: int,
) -> Norms:
    """Means and distances of the members of every regime, date by date.

    Args:
        vectors: (n, t, d), finite where known.
        known: (n, t), where a series was seen.
        labels: (n,), regime of each series, 0 .. regimes - 1; below 0: in none.
        regimes: how many there are.

    Raises:
        ValueError: shapes that do not fit.
    """
    _check(vectors, known, labels)
    t, d = vectors.shape[1:]
    most = int(np.bincount(labels[labels >= 0], minlength=1).max(initial=0))
    mean, count = np.zeros((regimes, t, d)), np.zeros((regimes, t), np.int32)
    distances = np.full((regimes, t, most), np.inf)
    median, spread = np.full((2, regimes, t), np.nan)
    for label in range(regimes):
        own = np.flatnonzero(labels == label)
        for date in range(t):
            here = vectors[own[known[own, date]], date].astype(np.float64)
            count[label, date] = m = len(here)
            if m == 0:
                continue
            mean[label, date] = middle = here.mean(axis=0)
            if m == 1:
                continue
            # The mean without a member is farther from it by m / (m - 1).
            apart = np.sort(np.linalg.norm(here - middle, axis=1) * (m / (m - 1)))
            distances[label, date, :m] = apart
            median[label, date] = np.median(apart)
            spread[label, date] = _MAD * np.median(np.abs(apart - np.median(apart)))
    return Norms(mean, count, distances, median, spread)


def judge(
    known_norms: Norms,
    vectors: NDArray[np.floating],
    known: NDArray[np.bool_],
    labels: NDArray[np.integer],
    member: NDArray[np.bool_],
    *,
    least: int = LEAST,
) -> Deviations:
    """Judge every series by the members of its regime on the same date, without itself.

    In regimes of up to 64 members seen, median and deviation leave a member out, as the mean
    always does: what changed must not widen what it is judged by.

    Args:
        known_norms: of the same dates.
        vectors: (n, t, d), finite where known.
        known: (n, t), where a series was seen.
        labels: (n,), regime of each series; below 0: in none, not judged.
        member: (n,), which series the norms are of.
        least: members seen on a date below which none is judged.

    Raises:
        ValueError: shapes that do not fit, or `least` below 3.
    """
    _check(vectors, known, labels)
    if least < 3:
        raise ValueError(f"least must be at least 3, got {least}")
    distance, excess, z, p_value = np.full((4, *known.shape), np.nan, np.float32)
    others = np.zeros(known.shape, np.int32)
    inside = labels >= 0
    others[inside] = known_norms.count[labels[inside]]
    others -= (known & member[:, None] & inside[:, None]).astype(np.int32)
    for label in np.unique(labels[inside]):
        own = np.flatnonzero(labels == label)
        for date in range(known.shape[1]):
            count = int(known_norms.count[label, date])
            rows = own[known[own, date]]
            if count < least or len(rows) == 0:
                continue
            judged = _judged(
                vectors[rows, date].astype(np.float64),
                member[rows],
                known_norms.mean[label, date],
                known_norms.distances[label, date, :count],
                (known_norms.median[label, date], known_norms.spread[label, date]),
            )
            for into, values in zip(
                (distance, excess, z, p_value), judged, strict=True
            ):
                into[rows, date] = values
    return Deviations(distance, excess, z, p_value, others)


def deviations(
    vectors: NDArray[np.floating],
    known: NDArray[np.bool_],
    labels: NDArray[np.integer],
    *,
    least: int = LEAST,
) -> Deviations:
    """Judge every series by all other members of its regime on the same date (`judge`)."""
    _check(vectors, known, labels)
    fitted = norms(vectors, known, labels, int(labels.max(initial=-1)) + 1)
    every = np.ones(len(labels), bool)
    return judge(fitted, vectors, known, labels, every, least=least)


def _check(
    vectors: NDArray[np.floating],
    known: NDArray[np.bool_],
    labels: NDArray[np.integer],
) -> None:
    if (
        vectors.ndim != 3
        or vectors.shape[:2] != known.shape
        or len(labels) != len(known)
    ):
        raise ValueError(
            "expected vectors (n, t, d), known (n, t) and labels (n,), got "
            f"{vectors.shape}, {known.shape} and {labels.shape}"
        )


def _judged(
    vectors: NDArray[np.float64],
    member: NDArray[np.bool_],
    mean: NDArray[np.float64],
    apart: NDArray[np.float64],
    usual: tuple[float, float],
) -> tuple[NDArray[np.float64], ...]:
    """Distance, excess, z and p-value of (m, d) series of one regime on one date."""
    c = len(apart)
    distance = np.linalg.norm(vectors - mean, axis=1) * np.where(member, c / (c - 1), 1)
    middle = np.full(len(vectors), usual[0])
    spread = np.full(len(vectors), usual[1])
    if c <= _LEFT_OUT:
        for row in np.flatnonzero(member):
            own = min(int(np.searchsorted(apart, distance[row])), c - 1)
            # Its own distance may differ in the last bit from the one that is kept.
            own -= (
                own > 0 and distance[row] - apart[own - 1] < apart[own] - distance[row]
            )
            rest = np.delete(apart, own)
            middle[row] = np.median(rest)
            spread[row] = _MAD * np.median(np.abs(rest - middle[row]))
    excess = distance - middle
    spread = np.maximum(spread, _LEAST_MAD * middle)
    z = np.divide(excess, spread, out=np.zeros(len(vectors)), where=spread > 0)
    # A hair nearer, so that a member counts itself whatever the last bit.
    farther = c - np.searchsorted(apart, distance * (1 - 1e-9))
    return distance, excess, z, (farther + ~member) / (c + ~member)


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
