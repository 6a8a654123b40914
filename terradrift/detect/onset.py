"""When: CUSUM of z over time, and of the evidence for a new state (pure).

Method: METHODS 4.4 step 5, and the CUSUM estimate of one change point.
"""

import numpy as np
from numpy.typing import NDArray

_LOUDEST = 0.5
"""Evidence of one date for or against the new state, at most, in steps."""


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
    gone: NDArray[np.floating], clear: NDArray[np.bool_], end: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(m,) the first date of the new state: where CUSUM of `gone` - 1/2 turns up for good.

    `gone` (m, t) is `progress`, `clear` (m, t) says which dates count, and dates from
    `end` (m,) on do not. A date alone weighs little, however far it is: an unmasked cloud
    is no onset.
    """
    t = clear.shape[1]
    counted = clear & (np.arange(t) < end[:, None])
    evidence = np.where(counted, np.clip(gone - 0.5, -_LOUDEST, _LOUDEST), 0.0)
    total = np.cumsum(evidence, axis=1)
    before = np.concatenate([np.zeros((len(gone), 1)), total[:, :-1]], axis=1)
    # The new state begins with an observation that has gone there.
    turn: NDArray[np.int64] = np.where(counted, before, np.inf).argmin(axis=1)
    return turn
