"""Where rasters of pixels lie, and how one lies to another (pure but for pyproj)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyproj
from numpy.typing import NDArray

_SLACK = 0.01
"""Pixels that two rasters may be off and still count as aligned."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A raster's CRS, geotransform and size.

    x = a * column + b * row + c and y = d * column + e * row + f, in pixel edges.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    @classmethod
    def north_up(
        cls, epsg: int, gsd: float, corner: tuple[float, float], size: tuple[int, int]
    ) -> "Frame":
        """A frame of square pixels of `gsd` metres.

        `corner` is the upper left one, x and y in metres; `size` is height and width.
        """
        (left, top), (height, width) = corner, size
        return cls(f"EPSG:{epsg}", (gsd, 0.0, left, 0.0, -gsd, top), width, height)

    def part(self, span: "Span") -> "Frame":
        """The frame of some rows and columns."""
        a, b, c, d, e, f = self.transform
        x = a * span.left + b * span.top + c
        y = d * span.left + e * span.top + f
        return Frame(self.crs, (a, b, x, d, e, y), span.width, span.height)

    def rows_cols(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rows and columns, in pixel edges, of places in this frame's CRS."""
        a, b, c, d, e, f = self.transform
        det = a * e - b * d
        dx, dy = x - c, y - f
        return (a * dy - d * dx) / det, (e * dx - b * dy) / det


@dataclass(frozen=True, slots=True)
class Span:
    """Some rows and columns of a raster."""

    left: int
    top: int
    width: int
    height: int

    @property
    def empty(self) -> bool:
        """Whether there is no pixel in it."""
        return self.width <= 0 or self.height <= 0

    def within(self, frame: Frame) -> "Span":
        """The part that lies on the raster of `frame`."""
        left, top = max(self.left, 0), max(self.top, 0)
        right = min(self.left + self.width, frame.width)
        bottom = min(self.top + self.height, frame.height)
        return Span(left, top, right - left, bottom - top)


def ratio(source: Frame, target: Frame) -> int:
    """Target pixels per source pixel side where the two nest exactly, else 0.

    1: pixels are the same; 2: each source pixel is 2 x 2 target pixels.
    """
    if not same_crs(source.crs, target.crs):
        return 0
    a, b, c, d, e, f = source.transform
    gx, sb, tc, sd, gy, tf = target.transform
    if b or d or sb or sd:
        return 0
    times = round(a / gx)
    # The sizes must agree so well that the far edge is not off either.
    across = max(source.width, source.height)
    if times < 1 or max(abs(a / gx - times), abs(e / gy - times)) * across > _SLACK:
        return 0
    off = (tc - c) / gx, (tf - f) / gy
    return times if all(abs(v - round(v)) <= _SLACK for v in off) else 0


def offset(source: Frame, target: Frame) -> tuple[int, int]:
    """Row and column of the target's corner, in target pixels from the source's corner.

    Only for frames that nest (`ratio` above 0).
    """
    gx, _, tc, _, gy, tf = target.transform
    _, _, c, _, _, f = source.transform
    return round((tf - f) / gy), round((tc - c) / gx)


@lru_cache(maxsize=1024)
def same_crs(one: str, other: str) -> bool:
    """Whether two CRSs put a pair of coordinates at one place."""
    if one == other:
        return True
    left, right = (pyproj.CRS.from_user_input(text) for text in (one, other))
    codes = left.to_epsg(), right.to_epsg()
    if None not in codes:
        return codes[0] == codes[1]
    return bool(left.equals(right, ignore_axis_order=True))


@lru_cache(maxsize=1024)
def is_geographic(crs: str) -> bool:
    """Whether coordinates are degrees."""
    return bool(pyproj.CRS.from_user_input(crs).is_geographic)


@lru_cache(maxsize=256)
def transformer(source: str, target: str) -> pyproj.Transformer:
    """From one CRS to another, x before y."""
    return pyproj.Transformer.from_crs(source, target, always_xy=True)
