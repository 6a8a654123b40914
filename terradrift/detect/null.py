"""How strong the strongest candidate of an unchanged patch is: the null, from the pool.

A placebo test, as in synthetic control (Abadie, Diamond & Hainmueller 2010): the pool's
patches are judged like every other one, each against the others, and what most of them
reach by season, rotation and noise is the null. Patches that did change are among them, so
the upper tail is not believed: above the median, logarithms of scores are taken as the
upper half of a normal distribution, whose spread the 90 % quantile gives. Where an event
took so many patches that this fails, it shows: the candidates of the commonest 60 days
score clearly more than all others, and stand out beside their analogues too, which a
season of their land cover does not. These are then left out. Otherwise, where more than
about a tenth of the patches changed, p-values are too large: they err to caution.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_UPPER = 0.9
_LEAST = 20
"""Fewer scores than this make no null."""
_EVENT_DAYS = 60
_EVENT_LIFT = 1.3
"""Candidates of one event score so much more than others, by their medians, and"""
_EVENT_ASIDE = 1.2
"""are so much stronger beside analogues. On series in which nothing changed, those of the
commonest season score 0.7 to 1.6 times as much, and then are 1.0 to 1.1 times as strong."""


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    """The distribution of scores of unchanged patches."""

    ranked: NDArray[np.float64]
    """(m,), logarithms of scores up to the median, ascending."""
    middle: float
    """Their median, of all."""
    spread: float
    """Standard deviation of the normal distribution whose upper half lies above it."""

    @classmethod
    def of(
        cls,
        scores: NDArray[np.floating],
        aside: NDArray[np.floating],
        days: NDArray[np.datetime64],
    ) -> "Null | None":
        """Fit the strongest candidates of the pool's patches.

        All are (m,): scores, strengths beside analogues, and dates. None where fewer than
        20 scores are known.
        """
        known = np.isfinite(scores) & (scores > 0)
        if known.sum() < _LEAST:
            return None
        from scipy.special import ndtri

        kept = _without_event(scores[known], aside[known], days[known])
        logs = np.sort(np.log(kept.astype(np.float64)))
        middle, upper = np.quantile(logs, [0.5, _UPPER])
        spread = max((upper - middle) / float(ndtri(_UPPER)), 1e-6)
        return cls(logs[logs <= middle], float(middle), float(spread))

    def p_value(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Chance (n,) that an unchanged patch scores at least as much; NaN stays NaN."""
        from scipy.special import ndtr

        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(np.asarray(scores, np.float64))
        below = np.searchsorted(self.ranked, logs, side="left")
        body = 1.0 - 0.5 * below / len(self.ranked)
        tail = ndtr((self.middle - logs) / self.spread)
        p = np.where(logs > self.middle, tail, body)
        return np.where(np.isnan(logs), np.nan, p)


def _without_event(
    scores: NDArray[np.floating],
    aside: NDArray[np.floating],
    days: NDArray[np.datetime64],
) -> NDArray[np.floating]:
    """The scores, less those of the commonest 60 days where these are an event."""
    number = days.astype("datetime64[D]").astype(np.int64)
    ordered = np.sort(number)
    held = np.searchsorted(ordered, ordered + _EVENT_DAYS, side="right")
    begin = ordered[(held - np.arange(len(ordered))).argmax()]
    inside = (number >= begin) & (number <= begin + _EVENT_DAYS)
    rest: NDArray[np.floating] = scores[~inside]
    if len(rest) < _LEAST:
        return scores
    event = np.median(scores[inside]) >= _EVENT_LIFT * np.median(rest)
    event &= np.median(aside[inside]) >= _EVENT_ASIDE * np.median(aside[~inside])
    return rest if event else scores


def q_values(
    p: NDArray[np.floating], among: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(n,) expected share of false ones where all that are at least as unlikely are taken.

    By Benjamini & Hochberg 1995, `p` (n,) judged `among` the p-values (m,) of all patches;
    NaN does not count and stays NaN. Neighbouring patches depend on each other; the bound
    holds under positive dependence (Benjamini & Yekutieli 2001).
    """
    known = np.sort(among[np.isfinite(among)].astype(np.float64))
    m = len(known)
    if m == 0:
        return np.full(len(p), np.nan)
    share = known * m / np.arange(1, m + 1)
    lowest = np.minimum.accumulate(share[::-1])[::-1]
    given = np.asarray(p, np.float64)
    # What is as unlikely as some of them joins them; what is less likely than all, too.
    rank = np.searchsorted(known, given, side="right")
    own = given * m / np.maximum(rank, 1)
    beyond = np.append(lowest, 1.0)[np.minimum(rank, m)]
    q = np.minimum(np.minimum(own, beyond), 1.0)
    return np.where(np.isnan(given), np.nan, q)
