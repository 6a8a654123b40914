"""Places as whole numbers of Web Mercator, and its tiles (pure).

The world is a square of 2**30 units, x from 180 W to the east, y from the north to the
south; a unit is 3.7 cm at the equator. Sphere of EPSG:3857. What lies beyond 85.0511 degrees
stands at the edge.
"""

import numpy as np
from numpy.typing import NDArray

BITS = 30
WORLD = 1 << BITS
LATITUDE = 85.05112877980659
"""Degrees where the world ends, north and south."""
CIRCUMFERENCE_M = 40_075_016.686
"""Metres around the equator."""


def x_of(longitude: NDArray[np.float64]) -> NDArray[np.int64]:
    """Units of degrees; beyond 180 they go on beyond the world's edge."""
    return np.floor((longitude / 360 + 0.5) * WORLD).astype(np.int64)


def y_of(latitude: NDArray[np.float64]) -> NDArray[np.int64]:
    """Units of degrees, 0 .. WORLD - 1."""
    sine = np.sin(np.radians(np.clip(latitude, -LATITUDE, LATITUDE)))
    y = np.floor((0.5 - np.arctanh(sine) / (2 * np.pi)) * WORLD)
    return np.asarray(np.clip(y, 0, WORLD - 1), np.int64)


def degrees(
    x: NDArray[np.floating | np.integer], y: NDArray[np.floating | np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude of units."""
    longitude = (x / WORLD - 0.5) * 360
    latitude = np.degrees(np.arctan(np.sinh((0.5 - y / WORLD) * 2 * np.pi)))
    return longitude, latitude


def unit_m(latitude: float) -> float:
    """Metres of one unit at a latitude."""
    flat = np.cos(np.radians(np.clip(latitude, -LATITUDE, LATITUDE)))
    return float(CIRCUMFERENCE_M * flat / WORLD)
