"""How good scores are against truth, row by row; `ranking` has the same for many draws.

The larger a score, the more it says "changed". A score that is NaN says nothing, and ranks
below every other; abstaining on what changed costs recall. Equal scores are one step of
the ranking, as in scikit-learn, so that no order of rows is rewarded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Truth = NDArray[np.bool_]
Values = NDArray[np.floating]


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


def squares(cells: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """(n,), number of the square of `side` x `side` cells that each cell (n, 3) lies in."""
    if side < 1:
        raise ValueError(f"side must be at least 1 cell, got {side}")
    coarse = np.column_stack([cells[:, 0], cells[:, 1:] // side])
    _, number = np.unique(coarse, axis=0, return_inverse=True)
    return np.asarray(number, dtype=np.int64)


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
