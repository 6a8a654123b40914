"""A linear probe on unit vectors: how probable it is that a row is liked (pure).

What was judged by eye is a poor sample of all rows: most of it was shown because it is like
the example, so a probe of it alone never learns what the rest looks like. Rows drawn at
random are therefore added as weak negatives (Lee and Liu 2003, "Learning with positive and
unlabeled examples using weighted logistic regression", ICML).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from terradrift.errors import QueryError

STRENGTH = 10.0
"""What the loss weighs beside the penalty: C of the formula in `fit`."""
BACKGROUND = 200
"""Rows drawn at random that stand for all rows."""
BACKGROUND_SHARE = 0.5
"""Of the weight of all negatives, what rows drawn at random have beside the unliked."""
_TOLERANCE = 1e-8
_ITERATIONS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A hyperplane between what is liked and what is not."""

    direction: NDArray[np.float64]
    """(d,), towards the liked; its length says how sharply probability rises."""
    intercept: float

    def log_odds(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) logarithms of the odds that unit vectors (n, d) are liked."""
        # Row by row, so that batches do not change the answer.
        dots = (np.asarray(rows, np.float64) * self.direction).sum(axis=1)
        return np.asarray(dots + self.intercept, np.float64)

    def probability(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) probability that unit vectors (n, d) are liked, 0 to 1.

        Were as much liked as not: how rare the kind is in the archive is not known.
        """
        return np.asarray(expit(self.log_odds(rows)), np.float64)


def fit(
    liked: NDArray[np.floating],
    unliked: NDArray[np.floating],
    background: NDArray[np.floating] | None = None,
    *,
    strength: float = STRENGTH,
    share: float = BACKGROUND_SHARE,
) -> Probe:
    """Fit L2-regularised logistic regression, liked and negatives of equal weight.

    Minimises |w|^2 / 2 + C sum of weight x log loss, the intercept free. With n liked and m
    unliked the weights sum to n + m: one half is that of the liked, the other that of the
    negatives, of which the background has `share` (all, where nothing is unliked). For a
    small C the direction is that of the difference of the weighted means.

    Args:
        liked: (n, d) unit vectors, n at least 1.
        unliked: (m, d) unit vectors.
        background: (b, d) unit vectors of rows drawn at random; None or none: no such.
        strength: C. The same whatever is judged; see docs/labels.md.
        share: 0 to 1.

    Raises:
        QueryError: nothing liked, or neither unliked nor background.
    """
    behind = np.empty((0, liked.shape[1])) if background is None else background
    n, m, b = len(liked), len(unliked), len(behind)
    if n == 0 or m + b == 0:
        raise QueryError(
            f"a probe needs liked and unliked, got {n} and {m}; add the other, or take "
            "refine='rocchio'"
        )
    from sklearn.linear_model import LogisticRegression

    of_background = 0.0 if b == 0 else 1.0 if m == 0 else share
    parts = ((n, 1.0), (m, 1 - of_background), (b, of_background))
    weights = [
        np.full(count, (n + m) / 2 * part / count) for count, part in parts if count
    ]
    rows = np.concatenate([liked, unliked, behind]).astype(np.float64)
    model = LogisticRegression(C=strength, tol=_TOLERANCE, max_iter=_ITERATIONS)
    model.fit(rows, np.arange(len(rows)) < n, np.concatenate(weights))
    return Probe(model.coef_[0].astype(np.float64), float(model.intercept_[0]))
