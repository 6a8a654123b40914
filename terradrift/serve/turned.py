"""Areas that reach beyond the antimeridian, as a map that goes on there draws them (pure)."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

_TURN = 360.0
FARTHEST = 1080.0
"""Degrees of longitude that a map which repeats the world may name."""


def turned(area: BaseGeometry) -> BaseGeometry:
    """The same ground between 180 W and 180 E: cut at the antimeridian, and brought back.

    An area that lies there already, is wider than the world, or lies beyond `FARTHEST` is
    handed back as it is.
    """
    west, south, east, north = area.bounds
    known = west >= -FARTHEST and east <= FARTHEST and east - west <= _TURN
    if not known or (west >= -_TURN / 2 and east <= _TURN / 2):
        return area
    parts: list[BaseGeometry] = []
    first, last = math.floor((west + 180) / _TURN), math.ceil((east + 180) / _TURN)
    for turn in range(first, last):
        world = shapely.box(turn * _TURN - 180, south, turn * _TURN + 180, north)
        cut = shapely.get_parts(shapely.intersection(area, world))
        parts += [_back(part, turn) for part in cut if part.area > 0]
    return shapely.union_all(parts)


def _back(part: BaseGeometry, turn: int) -> BaseGeometry:
    def moved(places: NDArray[np.float64]) -> NDArray[np.float64]:
        back: NDArray[np.float64] = places - np.array([turn * _TURN, 0.0])
        return back

    found: BaseGeometry = shapely.transform(part, moved)
    return found
