"""What lies between two regimes: paths on the way, and the real series nearest to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.representatives import distances_to

WEIGHTS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Between:
    """A point on the way from one regime to another, and who stands there."""

    weight: float
    """0 at the first regime, 1 at the second."""
    row: int
    """The nearest real series."""
    distance: float
    """Mean over its dates of the distance from the path on the way."""


def interpolate(
    first: NDArray[np.floating], second: NDArray[np.floating], weight: float
) -> NDArray[np.float64]:
    """(t, d) the path (1 - weight) first + weight second.

    Raises:
        ValueError: paths of other shapes, or a weight outside 0..1.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"expected two paths of one shape, got {first.shape} and {second.shape}"
        )
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be 0 to 1, got {weight}")
    return (1 - weight) * first.astype(np.float64) + weight * second.astype(np.float64)


def between(
    paths: NDArray[np.floating],
    known: NDArray[np.bool_],
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    weights: Sequence[float] = WEIGHTS,
) -> list[Between]:
    """The real series nearest to the paths between two regimes, one for each weight.

    Args:
        paths: (n, t, d).
        known: (n, t), where a series was seen.
        first: (t, d), centroid path of a regime.
        second: (t, d), of the other.
        weights: 0..1 each.

    Raises:
        ValueError: no series was seen at all, or shapes that do not fit.
    """
    if not known.any():
        raise ValueError("expected a series that was seen, there is none")
    found = []
    for weight in weights:
        apart = distances_to(paths, known, interpolate(first, second, weight))
        row = int(np.nanargmin(apart))
        found.append(Between(weight, row, float(apart[row])))
    return found
