"""One tile of the map, and places in it (pure)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.serve.columns.mercator import WORLD
from terradrift.serve.faults import NotThere

EXTENT = 4096
"""Whole numbers across a tile; 512 px on a page."""
PIXEL = EXTENT // 512
BUFFER = 8 * PIXEL
"""How far beyond a tile's edge shapes are drawn, so that their outlines meet."""
ZOOM_MOST = 22

_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("at", "<f8", 2)])
_QUAD = np.dtype(
    [
        ("order", "u1"),
        ("type", "<u4"),
        ("rings", "<u4"),
        ("points", "<u4"),
        ("at", "<f8", (5, 2)),
    ]
)


@dataclass(frozen=True, slots=True)
class Place:
    """Zoom, column from the west, line from the north."""

    zoom: int
    x: int
    y: int

    @classmethod
    def of(cls, zoom: int, x: int, y: int) -> "Place":
        """The tile of those numbers.

        Raises:
            NotThere: there is no such tile.
        """
        if not (0 <= zoom <= ZOOM_MOST and 0 <= x < 1 << zoom and 0 <= y < 1 << zoom):
            raise NotThere(
                f"no tile {zoom}/{x}/{y}: zoom is 0 to {ZOOM_MOST}, x and y are below "
                "2 to the power of it"
            )
        return cls(zoom, x, y)

    @property
    def size(self) -> int:
        """Units of the world across it."""
        return WORLD >> self.zoom

    @property
    def west(self) -> int:
        """Its lowest x in units."""
        return self.x * self.size

    @property
    def north(self) -> int:
        """Its lowest y in units."""
        return self.y * self.size

    def box(self, buffer: int = BUFFER) -> tuple[int, int, int, int]:
        """West, north, east, south in units, `buffer` beyond its edges."""
        more = -(-buffer * self.size // EXTENT)
        west, north = self.west - more, self.north - more
        return west, north, west + self.size + 2 * more, north + self.size + 2 * more

    def inside(self, units: NDArray[Any]) -> NDArray[np.float64]:
        """(..., 2) units of the world in whole numbers of the tile, beyond its edges too."""
        origin = np.array([self.west, self.north])
        return np.asarray(np.rint((units - origin) * (EXTENT / self.size)))


def points(at: NDArray[np.float64]) -> pa.Array:
    """WKB of (n, 2)."""
    held = np.zeros(len(at), _POINT)
    held["order"], held["type"], held["at"] = 1, 1, at
    return _binary(held)


def quads(corners: NDArray[np.float64]) -> pa.Array:
    """WKB of (n, 4, 2) in whole numbers; one that has no area is one whole number wide."""
    low, high = corners.min(axis=1), corners.max(axis=1)
    thin = np.flatnonzero((low == high).any(axis=1))
    if len(thin):
        corners = corners.copy()
        corners[thin] = boxes(low[thin], np.maximum(high[thin], low[thin] + 1))
    held = np.zeros(len(corners), _QUAD)
    held["order"], held["type"], held["rings"], held["points"] = 1, 3, 1, 5
    held["at"][:, :4], held["at"][:, 4] = corners, corners[:, 0]
    return _binary(held)


def boxes(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4, 2) corners of boxes between (n, 2) lowest and highest."""
    x = np.stack([low[:, 0], high[:, 0], high[:, 0], low[:, 0]], axis=1)
    y = np.stack([low[:, 1], low[:, 1], high[:, 1], high[:, 1]], axis=1)
    return np.stack([x, y], axis=-1)


def _binary(held: NDArray[np.void]) -> pa.Array:
    offsets = np.arange(len(held) + 1, dtype=np.int32) * held.dtype.itemsize
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(held.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(held), buffers)
