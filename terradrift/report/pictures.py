"""Before and after: reflectance to pictures that can be compared, with the event drawn in."""

import base64
import io
import math

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from shapely.geometry.base import BaseGeometry

from terradrift.report.data import Box

SIDE = 300
"""Pixels of the longer side of a picture."""

_METRES_PER_DEGREE = 111_320.0
_LEAST_RANGE = 0.06
_MOST = 2.0
_CLOSE = 1e-4
"""Of the height of a picture: gaps in an outline that are closed."""
_CASING = (20, 24, 28)
_FINER = 3
"""Lines are drawn so many times larger, then reduced."""
_GAMMA = 1 / 1.35
UNKNOWN = (150, 155, 160)
"""Grey of a pixel that was not seen."""


def window(
    outline: BaseGeometry, patch_size: float, extent: Box
) -> tuple[Box, tuple[int, int]]:
    """The box to show an event in, and its picture's (height, width).

    The event fills about half of it; never less than twelve patches across. At the edge
    of `extent` the box moves inwards, since outside there is nothing to see.
    """
    west, south, east, north = outline.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    wide = max(math.cos(math.radians(lat)), 0.02) * _METRES_PER_DEGREE
    metres = max((east - west) * wide, (north - south) * _METRES_PER_DEGREE)
    half = max(metres, 6.0 * patch_size)
    lon = _inwards(lon, half / wide, extent[0], extent[2])
    lat = _inwards(lat, half / _METRES_PER_DEGREE, extent[1], extent[3])
    box = (
        lon - half / wide,
        lat - half / _METRES_PER_DEGREE,
        lon + half / wide,
        lat + half / _METRES_PER_DEGREE,
    )
    return box, (SIDE, SIDE)


def _inwards(middle: float, half: float, low: float, high: float) -> float:
    if high - low <= 2 * half:
        return (low + high) / 2
    return min(max(middle, low + half), high - half)


def pictures(
    chips: list[NDArray[np.float32] | None],
    outline: BaseGeometry | None,
    box: Box,
    side: int = SIDE,
    ends: tuple[float, float] | None = None,
) -> list[Image.Image | None]:
    """Chips with one common stretch, so that a difference is a difference; `side` pixels each.

    Darkest is the 2nd percentile over all chips, brightest the 98th of the brightest
    chip, but no more than twice that of the darkest: a cloud must not black out the
    rest. With `ends` darkest and brightest are these. What is not known is grey. Without
    an `outline` none is drawn.
    """
    ends = ends or stretch([chip for chip in chips if chip is not None])
    if ends is None:
        return [None] * len(chips)
    shown = [
        None if chip is None else _picture(lit(chip, *ends), side) for chip in chips
    ]
    if outline is None:
        return list(shown)
    return [None if one is None else outlined(one, outline, box) for one in shown]


def stretch(chips: list[NDArray[np.float32]]) -> tuple[float, float] | None:
    """What is darkest and what is brightest in all chips; None where nothing is known."""
    known = [chip[np.isfinite(chip)] for chip in chips if np.isfinite(chip).any()]
    if not known:
        return None
    low = min(float(np.percentile(values, 2)) for values in known)
    tops = [float(np.percentile(values, 98)) for values in known]
    high = max(min(max(tops), low + _MOST * (min(tops) - low)), low + _LEAST_RANGE)
    return low, high


def lit(chip: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """(y, x, 3) colours of a chip (y, x, 3) or (y, x, 1); grey where it is not known."""
    bright = np.clip((chip - low) / (high - low), 0, 1) ** _GAMMA
    unknown = ~np.isfinite(chip).all(-1)
    grey = np.repeat(bright, 3, -1) if chip.shape[-1] == 1 else bright
    shown: NDArray[np.uint8] = (np.nan_to_num(grey) * 255).astype(np.uint8)
    shown[unknown] = UNKNOWN
    return shown


def _picture(shown: NDArray[np.uint8], side: int) -> Image.Image:
    return Image.fromarray(shown).resize((side, side), Image.Resampling.BICUBIC)


def outlined(
    picture: Image.Image,
    outline: BaseGeometry,
    box: Box,
    widths: tuple[int, int] = (5, 2),
    colour: tuple[int, int, int] = (255, 255, 255),
) -> Image.Image:
    """The picture with the outline in `colour` in a dark casing, so it shows on any ground.

    `outline` and `box` are in the same units, with y upwards; `widths` of casing and line in
    pixels. Lines are smooth at their edges, so they stay whole where a page shows the
    picture smaller.
    """
    west, south, east, north = box
    scale = np.array([picture.width / (east - west), picture.height / (south - north)])
    # Patches that touch may leave a gap of a rounding error, which is no hole.
    outline = outline.buffer(_CLOSE * (north - south), join_style="mitre")
    rings = [
        ring
        for part in shapely.get_parts(outline)
        if part.geom_type == "Polygon"
        for ring in (part.exterior, *part.interiors)
    ]
    finer = (_FINER * picture.width, _FINER * picture.height)
    for width, ink in zip(widths, (_CASING, colour), strict=True):
        cover = Image.new("L", finer)
        pen = ImageDraw.Draw(cover)
        for ring in rings:
            corners = (np.array(ring.coords) - (west, north)) * scale * _FINER
            path = [tuple(xy) for xy in corners]
            # The second corner once more: a line that only returns has no join there.
            pen.line([*path, path[1]], fill=255, width=_FINER * width, joint="curve")
        picture.paste(ink, mask=cover.reduce(_FINER))
    return picture


def data_uri(picture: Image.Image) -> str:
    """The picture inside an address, so a page needs no second file."""
    target = io.BytesIO()
    picture.save(target, format="WEBP", quality=88, method=4)
    return "data:image/webp;base64," + base64.b64encode(target.getvalue()).decode()
