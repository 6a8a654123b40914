"""When: CUSUM of z over time, and the date of a break with its interval (pure).

Method: METHODS 4.4 step 5, and the CUSUM estimate of one change point.
"""

import numpy as np
from numpy.typing import NDArray

_LOUDEST = 0.5
"""Evidence of one date for or against the new state, at most, in steps."""
LEVEL = 0.95
"""Of the interval of an onset."""
_CRITICAL = -2.0 * np.log(1.0 - np.sqrt(LEVEL))
"""7.35: the likelihood ratio of a break date stays below with chance (1 - exp(-x / 2))^2."""
_LEAST_SCATTER = 1e-4


def cusum(z: NDArray[np.floating], slack: float) -> NDArray[np.float32]:
    """(n, t) running sum max(0, previous + z - slack); NaN where z is, and passed over."""
    out = np.full(z.shape, np.nan, np.float32)
    level = np.zeros(len(z))
    for at in range(z.shape[1]):
        seen = np.isfinite(z[:, at])
        level[seen] = np.maximum(0.0, level[seen] + z[seen, at] - slack)
        out[seen, at] = level[seen]
    return out


def progress(
    vectors: NDArray[np.floating],
    before: NDArray[np.floating],
    after: NDArray[np.floating],
) -> NDArray[np.float64]:
    """How far each date has gone from the old state (0) to the new one (1): (m, t).

    `vectors` (m, t, r) are projected on the line from `before` (m, r) to `after` (m, r).
    """
    step = (after - before).astype(np.float64)
    squared = np.maximum(np.einsum("mr,mr->m", step, step), 1e-30)
    gone = np.einsum("mtr,mr->mt", vectors - before[:, None], step)
    along: NDArray[np.float64] = gone / squared[:, None]
    return along


def estimate(
    gone: NDArray[np.floating], counted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(m,) the first date of the new state: where CUSUM of `gone` - 1/2 turns up for good.

    `gone` (m, t) is `progress`, `counted` (m, t) says which dates count: clear ones of the
    state before and of the new one. A date alone weighs little, however far it is: an
    unmasked cloud is no onset. The first date that counts is never the onset.
    """
    turn: NDArray[np.int64] = _cost(gone, counted).argmin(axis=1)
    return turn


def interval(
    gone: NDArray[np.floating], counted: NDArray[np.bool_], turn: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Date numbers (m,) that the onset `turn` (m,) lies between: after, and up to.

    The profile likelihood of the break's date, as of a step in `gone` with normal scatter:
    all dates whose likelihood ratio to the best is below 7.35, the 95 % point for a break
    date (Eo & Morley 2015, "Likelihood-ratio-based confidence sets for the timing of
    structural breaks"). Scatter that is correlated from date to date counts as so much
    more (1 + r) / (1 - r). The first is the last counted date before the set, the second
    the last of the set, so the gap before the onset always lies inside.
    """
    t = counted.shape[1]
    cost = _cost(gone, counted)
    each = np.arange(len(gone))
    new = np.arange(t) >= turn[:, None]
    off = np.where(counted, np.clip(gone, -_LOUDEST, 1.0 + _LOUDEST) - new, 0.0)
    scatter = (off**2).sum(axis=1) / np.maximum(counted.sum(axis=1) - 1, 1)
    inflated = np.maximum(scatter * _correlated(off, counted), _LEAST_SCATTER)
    # A date moved over the break adds 2 (gone - 1/2) to the squares.
    ratio = 2.0 * (cost - cost[each, turn][:, None]) / inflated[:, None]
    inside = ratio <= _CRITICAL
    inside[each, turn] = True
    early, late = inside.argmax(axis=1), t - 1 - inside[:, ::-1].argmax(axis=1)
    before = counted & (np.arange(t) < early[:, None])
    last = t - 1 - before[:, ::-1].argmax(axis=1)
    return np.where(before.any(axis=1), last, early), late


def _cost(
    gone: NDArray[np.floating], counted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(m, t) evidence against the old state before each date; infinite where it cannot begin."""
    evidence = np.where(counted, np.clip(gone - 0.5, -_LOUDEST, _LOUDEST), 0.0)
    before = np.cumsum(evidence, axis=1) - evidence
    started = np.cumsum(counted, axis=1) - counted > 0
    # The new state begins with an observation that has gone there.
    cost: NDArray[np.float64] = np.where(counted & started, before, np.inf)
    return cost


def _correlated(
    off: NDArray[np.float64], counted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(m,) (1 + r) / (1 - r) of the correlation from one counted date to the next, r >= 0."""
    order = np.argsort(~counted, axis=1, kind="stable")
    dense = np.take_along_axis(off, order, 1)  # zeros after the last counted one
    square = np.maximum((dense**2).sum(axis=1), 1e-12)
    r = np.clip((dense[:, 1:] * dense[:, :-1]).sum(axis=1) / square, 0.0, 0.9)
    inflation: NDArray[np.float64] = (1.0 + r) / (1.0 - r)
    return inflation
