"""How good scores are against truth: measures, their floor, and their uncertainty.

The larger a score, the more it says "changed". A score that is NaN says nothing, and ranks
below every other; abstaining on what changed costs recall. Equal scores are one step of
the ranking, as in scikit-learn, so that no order of rows is rewarded.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Truth = NDArray[np.bool_]
Values = NDArray[np.floating]
Measure = Callable[[Truth, Values, "Values | None"], float]


def average_precision(
    truth: Truth, scores: Values, weights: Values | None = None
) -> float:
    """Area under precision over recall, by steps; the floor of chance is `floor`.

    Equal to `sklearn.metrics.average_precision_score`. NaN where nothing is true.
    """
    hits, rest = _steps(truth, scores, weights)
    if hits[-1] == 0:
        return np.nan
    seen = hits + rest
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])


def roc_auc(truth: Truth, scores: Values, weights: Values | None = None) -> float:
    """The chance that what is true scores above what is not; chance alone gives 0.5.

    Equal to `sklearn.metrics.roc_auc_score`. NaN where all or nothing is true.
    """
    hits, rest = _steps(truth, scores, weights)
    if hits[-1] == 0 or rest[-1] == 0:
        return np.nan
    middle = (hits + np.concatenate([[0.0], hits[:-1]])) / 2
    area = (np.diff(rest, prepend=0) * middle).sum()
    return float(area / (hits[-1] * rest[-1]))


def precision_at(truth: Truth, scores: Values, k: int) -> float:
    """The share of the `k` highest that is true, expected over orders of equal scores.

    Raises:
        ValueError: `k` below 1 or above the number of scores.
    """
    _check(truth, scores)
    if not 1 <= k <= len(truth):
        raise ValueError(f"k must be between 1 and {len(truth)} scores, got {k}")
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    limit = np.partition(ranked, len(ranked) - k)[len(ranked) - k]
    above, at = ranked > limit, ranked == limit
    return float((truth[above].sum() + truth[at].mean() * (k - above.sum())) / k)


def floor(truth: Truth) -> float:
    """The share that is true: what random scores reach in average precision."""
    return float(np.mean(truth)) if len(truth) else np.nan


@dataclass(frozen=True, slots=True)
class Interval:
    """A measure, and where it lies under resampling."""

    value: float
    low: float
    high: float


def bootstrap(
    measure: Measure,
    truth: Truth,
    scores: Values,
    blocks: NDArray[np.int64],
    *,
    level: float = 0.95,
    repeats: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a measure, by drawing whole blocks of ground.

    Patches beside each other change together, so drawing single patches would make the
    interval too narrow. Draws in which the measure is not defined are left out.

    Args:
        measure: `average_precision` or `roc_auc`.
        truth: (n,)
        scores: (n,)
        blocks: (n,), number of the block that each patch lies in, as of `squares`.
        level: the share of draws inside the interval.
        repeats: draws.
        seed: of the draws.

    Raises:
        ValueError: fewer than two blocks.
    """
    _, block = np.unique(blocks, return_inverse=True)
    count = int(block.max(initial=-1)) + 1
    if count < 2:
        raise ValueError(f"an interval needs at least 2 blocks of ground, got {count}")
    random = np.random.default_rng(seed)
    drawn = np.empty(repeats)
    for repeat in range(repeats):
        times = np.bincount(random.integers(0, count, count), minlength=count)
        drawn[repeat] = measure(truth, scores, times[block].astype(np.float64))
    drawn = drawn[np.isfinite(drawn)]
    value = measure(truth, scores, None)
    if len(drawn) == 0:
        return Interval(value, np.nan, np.nan)
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def squares(cells: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """(n,), number of the square of `side` x `side` cells that each cell (n, 3) lies in."""
    if side < 1:
        raise ValueError(f"side must be at least 1 cell, got {side}")
    coarse = np.column_stack([cells[:, 0], cells[:, 1:] // side])
    _, number = np.unique(coarse, axis=0, return_inverse=True)
    return np.asarray(number, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class OnsetError:
    """How far found onsets lie from true ones; positive is late."""

    days: NDArray[np.float64]
    """(n,), NaN where nothing was found."""
    acquisitions: NDArray[np.float64]
    """(n,), clear acquisitions from the first one after the truth; 0 is as early as can be
    seen."""


def onset_error(
    found: NDArray[np.datetime64],
    truth: NDArray[np.datetime64],
    times: NDArray[np.datetime64],
    clear: NDArray[np.bool_],
) -> OnsetError:
    """Compare onsets of `n` patches with the truth.

    Args:
        found: (n,), NaT where no change was found.
        truth: (n,), when it happened.
        times: (t,), acquisitions, ascending.
        clear: (n, t), which of them saw the patch.
    """
    missing = np.isnat(found)
    days = (found - truth) / np.timedelta64(1, "D")
    days[missing] = np.nan
    before_found = (clear & (times < found[:, None])).sum(axis=1)
    before_truth = (clear & (times < truth[:, None])).sum(axis=1)
    acquisitions = (before_found - before_truth).astype(np.float64)
    acquisitions[missing] = np.nan
    return OnsetError(days, acquisitions)


def false_alarms(alarms: int, area_km2: float, years: float) -> float:
    """Alarms per 1000 km2 and year over ground where nothing changed.

    Raises:
        ValueError: no area or no time.
    """
    if not (area_km2 > 0 and years > 0):
        raise ValueError(
            "false alarms need area and time above 0, "
            f"got {area_km2} km2 and {years} years"
        )
    return alarms / area_km2 / years * 1000


def _check(truth: Truth, scores: Values) -> None:
    if truth.shape != scores.shape or truth.ndim != 1 or len(truth) == 0:
        raise ValueError(
            "truth and scores must be of one length of at least 1, "
            f"got {truth.shape} and {scores.shape}"
        )
    if truth.dtype != np.bool_:
        raise ValueError(f"truth must be bool, got {truth.dtype}")


def _steps(
    truth: Truth, scores: Values, weights: Values | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True and other weight at or above each score that occurs, from the highest down."""
    _check(truth, scores)
    weights = np.ones(len(truth)) if weights is None else weights
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(-ranked, kind="stable")
    last = np.flatnonzero(ranked[order][1:] != ranked[order][:-1])
    last = np.append(last, len(order) - 1)
    hits = np.cumsum(np.where(truth, weights, 0)[order])[last]
    rest = np.cumsum(np.where(truth, 0, weights)[order])[last]
    return hits, rest
