"""Novelty of regions against their whole history, and how unusual it is (pure).

Stage 2 of Li et al. 2026 (arXiv 2409.05679): a region is as novel as it is unlike the most
alike of all its earlier dates, of any season. A novelty by itself falls as history grows, so
it is judged among others of as many references: with the judged date and t earlier ones,
each of the t + 1 is scored against the t others. If nothing happened the judged date is one
of them like any other, whatever t is, and its rank among them is uniform (full conformal
prediction: Vovk, Gammerman & Shafer 2005).
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.segments.bitemporal import unit

_LEAST = 1e-6
"""Novelty below this is rounding."""
_FLOOR = 0.1
"""Standard deviation of logarithms of novelty that there always is."""
_PRIOR = 4.0
"""Dates that the spread shared by regions counts for, beside the region's own."""
_GROUPS = 3
_MEMBERS = 30
"""Regions that a group of like texture must have, or all are ranked together."""
_BLOCK = 16 << 20
"""Numbers of a block of regions, about."""


def novelty(
    history: NDArray[np.float32], now: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """(n,) 1 - largest cosine of `now` (n, d) to `history` (t, n, d), and its date (n,).

    A date that is NaN is none; NaN and -1 where there is no other or `now` is NaN.
    """
    n = len(now)
    best = np.full(n, -np.inf)
    date = np.full(n, -1, np.int32)
    here = unit(now)
    for at, past in enumerate(history):
        alike = np.asarray(np.sum(unit(past) * here, axis=1, dtype=np.float64))
        nearer = alike > best  # never where it is NaN
        best[nearer], date[nearer] = alike[nearer], at
    found = np.where(date >= 0, 1 - np.clip(best, -1, 1), np.nan)
    return found.astype(np.float32), date


def leave_one_out(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(t, n) novelty of each date against all the others, `features` being (t, n, d).

    NaN where a date or all others are NaN.
    """
    t, n, d = features.shape
    out = np.full((t, n), np.nan, np.float32)
    if t < 2:
        return out
    rows = max(1, _BLOCK // (t * (t + d)))
    diagonal = np.arange(t)
    for start in range(0, n, rows):
        part = unit(features[:, start : start + rows].transpose(1, 0, 2))
        alike = part @ part.transpose(0, 2, 1)
        alike[:, diagonal, diagonal] = -np.inf
        best = np.where(np.isnan(alike), -np.inf, alike).max(axis=2)
        known = np.isfinite(best)
        scored = np.where(known, 1 - np.clip(best, -1, 1), np.nan)
        out[:, start : start + rows] = scored.T
    return out


def standardised(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """(t, n) logarithm of each score against those of the region's other dates.

    In standard deviations, of the other dates and of all regions together by the share that
    their number warrants (moderated as by Smyth 2004, doi:10.2202/1544-6115.1027), so that
    three dates that happen to agree do not make a fourth infinitely unlikely. NaN where
    fewer than three dates are known: two are as unlike each other both ways.
    """
    logs = np.log(np.maximum(scores.astype(np.float64), _LEAST))
    known = np.isfinite(logs)
    m = known.sum(axis=0)
    filled = np.where(known, logs, 0)
    total, square = filled.sum(axis=0), np.square(filled).sum(axis=0)
    others = np.maximum(m - 1, 1)
    mean = (total - filled) / others
    ssd = np.maximum((square - filled**2) - others * mean**2, 0)
    usable = known & (m >= 3)
    freedom = np.broadcast_to(np.maximum(m - 2, 1), scores.shape)
    if not usable.any():
        return np.full(scores.shape, np.nan, np.float32)
    # Left out with what happened on it, a date leaves the others as they are: that of the
    # least spread says what is usual, also where all regions changed on one date. Two dates
    # that are each other's most alike have one score, so few dates may show no spread.
    own = ssd / freedom
    prior = min(
        float(date[there].mean())
        for date, there in zip(own, usable, strict=True)
        if there.any()
    )
    prior = max(prior, _FLOOR**2)
    spread = np.sqrt((_PRIOR * prior + ssd) / (_PRIOR + freedom))
    # A mean of few dates is itself uncertain.
    z = (logs - mean) / (spread * np.sqrt(1 + 1 / others))
    return np.where(usable, z, np.nan).astype(np.float32)


def ranked(
    z: NDArray[np.float32], texture: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(n,) p-value of the last row of `z` (t, n) among all rows of regions of like texture.

    `texture` (n,) says how rough a region is; thirds are ranked apart where each has at
    least 30 regions. Each region counts as one, however many dates it has. The score itself
    is counted, so p is never 0; NaN where the last is.
    """
    p = np.full(z.shape[1], np.nan, np.float32)
    known = np.isfinite(z)
    judged = known[-1]
    group = _groups(texture, judged)
    for number in np.unique(group[judged]):
        rows = np.flatnonzero(judged & (group == number))
        values, there = z[:, rows], known[:, rows]
        weight = np.where(there, 1 / there.sum(axis=0), 0)
        order = np.argsort(values[there], kind="stable")
        ascending = values[there][order]
        above = np.append(np.cumsum(weight[there][order][::-1])[::-1], 0)
        at_least = above[np.searchsorted(ascending, values[-1], side="left")]
        p[rows] = np.clip(at_least / len(rows), 0, 1)
    return p


def _groups(
    texture: NDArray[np.float32] | None, judged: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(n,) third of texture among the judged, all 0 where these are few."""
    group = np.zeros(len(judged), np.int64)
    if texture is None:
        return group
    known = judged & np.isfinite(texture)
    if known.sum() < _GROUPS * _MEMBERS:
        return group
    cuts = np.quantile(texture[known], np.arange(1, _GROUPS) / _GROUPS)
    group[known] = np.searchsorted(cuts, texture[known], side="right")
    if np.bincount(group[judged], minlength=_GROUPS).min() < _MEMBERS:
        group[:] = 0
    return group
