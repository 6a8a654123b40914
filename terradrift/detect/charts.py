"""Limits of control charts over z: how far CUSUM and EWMA go by chance (pure).

A limit is given by the run length, the dates that pass on average until a chart of
independent standard normal z, watched upwards only, crosses it: the chart is a Markov
chain over small cells of its value (Brook and Evans 1972, Biometrika 59:539). z of real
series have heavier tails and lean on each other, so take what is said here as the longest
run to expect, and the rate on unchanged patches (controls) where there are some.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

_CELLS = 160
_DEEPEST = 6.0
"""Standard deviations below 0 that an EWMA is followed to."""
_LONGEST = 1e9
"""Dates; beyond, the arithmetic of chances loses itself."""

Chain = Callable[[float], NDArray[np.float64]]


def first_alarm(chart: NDArray[np.floating], limit: float) -> NDArray[np.int64]:
    """(n,) number of the first date on which the chart (n, t) is above the limit, or -1."""
    with np.errstate(invalid="ignore"):
        above = chart > limit
    if not chart.shape[1]:
        return np.full(len(chart), -1, np.int64)
    return np.where(above.any(axis=1), above.argmax(axis=1), -1)


@cache
def cusum_limit(run_length: float, slack: float = 1.0) -> float:
    """Limit of `onset.cusum` that is crossed once in `run_length` dates by chance.

    Raises:
        ValueError: `run_length` too short or above 1e9, or `slack` negative.
    """
    if slack < 0:
        raise ValueError(f"slack must not be negative, got {slack}")

    def chain(limit: float) -> NDArray[np.float64]:
        width = limit / (_CELLS - 0.5)  # the first cell reaches from below to width / 2
        cells = width * np.arange(_CELLS, dtype=np.float64)
        return _moves(cells[:, None] - slack, cells, width, 1.0)

    return _solved(chain, run_length)


@cache
def ewma_limit(run_length: float, weight: float = 0.2) -> float:
    """Limit of `calibrate.ewma` that is crossed once in `run_length` dates by chance.

    It starts at 0 and is followed from there (Roberts 1959, Technometrics 1:239). In units
    of z; divide by sqrt(weight / (2 - weight)) for those of the chart.

    Raises:
        ValueError: `run_length` too short or above 1e9, or `weight` not above 0 and at
            most 1.
    """
    if not 0 < weight <= 1:
        raise ValueError(f"weight must be above 0 and at most 1, got {weight}")
    deep = _DEEPEST * (weight / (2.0 - weight)) ** 0.5

    def chain(limit: float) -> NDArray[np.float64]:
        # The start, 0, is the middle of a cell.
        below = max(1, round(_CELLS * deep / (deep + limit)))
        width = limit / (_CELLS - below - 0.5)
        cells = width * (np.arange(_CELLS, dtype=np.float64) - below)
        moves = _moves((1.0 - weight) * cells[:, None], cells, width, weight)
        return np.roll(moves, -below, axis=(0, 1))

    return _solved(chain, run_length)


def _moves(
    drawn_to: NDArray[np.float64],
    cells: NDArray[np.float64],
    width: float,
    scale: float,
) -> NDArray[np.float64]:
    """(m, m) chance to go from each cell to each, by `drawn_to` and a normal x `scale`."""
    upper = ndtr((cells + width / 2 - drawn_to) / scale)
    lower = ndtr((cells - width / 2 - drawn_to) / scale)
    lower[:, 0] = 0.0  # all that lies lower counts as the lowest cell
    moves: NDArray[np.float64] = upper - lower
    return moves


def _run_length(moves: NDArray[np.float64]) -> float:
    """Mean steps until the chain is left, from its first cell."""
    ones = np.ones(len(moves))
    return float(np.linalg.solve(np.eye(len(moves)) - moves, ones)[0])


def _solved(chain: Chain, run_length: float) -> float:
    """The limit with that run length, by bisection."""
    low, high = 1e-6, 1.0
    shortest = _run_length(chain(low))
    if not shortest < run_length <= _LONGEST:
        raise ValueError(
            f"run_length must be above {shortest:.1f}, that of no limit at all, and at "
            f"most {_LONGEST:g}, got {run_length}"
        )
    while _run_length(chain(high)) < run_length:
        low, high = high, 2.0 * high
    for _ in range(40):
        middle = 0.5 * (low + high)
        if _run_length(chain(middle)) < run_length:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
