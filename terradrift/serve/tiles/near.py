"""Near in: the patches of a tile as they lie on the ground."""

import math

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift.serve.columns.mercator import WORLD
from terradrift.serve.columns.squares import Squares
from terradrift.serve.tiles import place as places
from terradrift.serve.tiles.place import BUFFER, EXTENT, Place

LEAST_PX = 6
"""Width of a patch on the screen from which on it is drawn itself."""
FEATURES = 1 << 13
"""Shapes of a tile at most; where there are more, cells are shown instead."""
_BEYOND = EXTENT
"""How far beyond a tile corners may lie; what reaches farther is cut."""


def nearest_zoom(squares: Squares) -> int:
    """The zoom from which on patches are drawn themselves."""
    pixels = LEAST_PX / 512
    return max(0, math.ceil(math.log2(WORLD * pixels / squares.width)))


def shapes(
    squares: Squares,
    place: Place,
    rows: NDArray[np.integer],
    shift: NDArray[np.int64],
) -> pa.Array:
    """WKB of the squares of `rows`, `shift` added to their x."""
    corners = squares.corners[rows].astype(np.int64)
    corners[..., 0] += shift[:, None]
    inside = place.inside(corners)
    far = (inside < -_BEYOND) | (inside > EXTENT + _BEYOND)
    cut = np.flatnonzero(far.any(axis=(1, 2)))
    drawn = places.quads(inside)
    if not len(cut):
        return drawn
    window = shapely.box(-BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    parts = shapely.intersection(shapely.polygons(inside[cut]), window, grid_size=1.0)
    parts = np.asarray(shapely.orient_polygons(parts))
    shown = np.asarray(drawn.to_pylist(), dtype=object)
    shown[cut] = shapely.to_wkb(parts)
    return pa.array(shown, pa.binary())
