"""Small maps and bars as SVG in a page: bounded in size, whatever the number of rows."""

from html import escape

import numpy as np
from numpy.typing import NDArray

from terradrift.store.out.colours import CIVIDIS

WIDTH_PX, HEIGHT_PX = 260, 200
_CELLS = 72
_OUTLINED = 400
"""Coloured cells that are outlined; more would be all line."""
_LEAST_RADIUS = 3.0
_SHADES = len(CIVIDIS)

Degrees = NDArray[np.float64]


def cells(
    places: tuple[Degrees, Degrees],
    marked: tuple[Degrees, Degrees, NDArray[np.floating]] | None,
    words: str,
) -> str:
    """A map of all places in grey and of the marked ones by their value, cell by cell.

    Args:
        places: (n,) longitudes and latitudes in degrees.
        marked: (m,) longitudes, latitudes and values; of one cell the largest counts.
        words: what the map shows, for those who do not see it.
    """
    lon, lat = places
    if not len(lon):
        return ""
    box = _box(lon, lat)
    wide, high = _shape(box)
    many = max(1, round(0.9 * np.sqrt(len(lon) * wide / high)))
    columns = min(_CELLS, many)
    rows = max(1, round(columns * high / wide))
    there = np.zeros((rows, columns), bool)
    there[_cell(lon, lat, box, rows, columns)] = True
    shade = np.full((rows, columns), -1)
    if marked is not None and len(marked[0]):
        x, y, value = marked
        held = np.full((rows, columns), -np.inf)
        np.maximum.at(held, _cell(x, y, box, rows, columns), np.nan_to_num(value))
        known = held > -np.inf
        ranks = np.searchsorted(np.sort(held[known]), held[known], side="right")
        shade[known] = (ranks - 1) * _SHADES // max(1, int(known.sum()))
        there |= known
    drawn = _grid(there, shade, (wide / columns, high / rows))
    return _svg(wide, high, words, drawn)


def points(lon: Degrees, lat: Degrees, words: str) -> str:
    """A map of matches, the nearest brightest and drawn last; numbers are their ranks."""
    known = np.isfinite(lon) & np.isfinite(lat)
    if not known.any():
        return ""
    x, y = lon[known], lat[known]
    rank = np.flatnonzero(known)
    box = _box(x, y)
    wide, high = _shape(box)
    across = (x - box[0]) / (box[2] - box[0]) * (wide - 16) + 8
    down = (box[3] - y) / (box[3] - box[1]) * (high - 16) + 8
    last = max(1, len(lon) - 1)
    dots = []
    for i in np.argsort(-rank)[-2_000:]:
        colour = CIVIDIS[_SHADES - 1 - int(rank[i] * (_SHADES - 1) // last)]
        dots.append(
            f'<circle cx="{across[i]:.1f}" cy="{down[i]:.1f}" r="{_LEAST_RADIUS + 1}" '
            f'fill="{colour}" stroke="currentColor" stroke-width=".8"/>'
        )
    ground = (
        f'<rect width="{wide:.0f}" height="{high:.0f}" fill="currentColor" '
        'fill-opacity=".07"/>'
    )
    return _svg(wide, high, words, ground + "".join(dots))


def bars(counts: NDArray[np.int64], part: NDArray[np.int64], words: str) -> str:
    """Bars of counts, the part of each filled; (n,) both."""
    if not len(counts) or not counts.max():
        return ""
    step, high = WIDTH_PX / len(counts), 48
    drawn = []
    for i, (whole, inner) in enumerate(zip(counts, part, strict=True)):
        for many, opacity in ((whole, ".22"), (inner, ".75")):
            tall = high * many / counts.max()
            if many:
                drawn.append(
                    f'<rect x="{i * step:.1f}" y="{high - tall:.1f}" '
                    f'width="{max(0.8, 0.85 * step):.1f}" height="{tall:.1f}" '
                    f'fill="currentColor" fill-opacity="{opacity}"/>'
                )
    return _svg(WIDTH_PX, high, words, "".join(drawn))


def _box(lon: Degrees, lat: Degrees) -> tuple[float, float, float, float]:
    west, east = float(lon.min()), float(lon.max())
    south, north = float(lat.min()), float(lat.max())
    pad = max(1e-4, 0.01 * max(east - west, north - south))
    return west - pad, south - pad, east + pad, north + pad


def _shape(box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Width and height in pixels, so that a kilometre is as long either way."""
    west, south, east, north = box
    narrow = max(0.05, float(np.cos(np.radians((south + north) / 2))))
    ratio = (north - south) / ((east - west) * narrow)
    if ratio * WIDTH_PX <= HEIGHT_PX:
        return WIDTH_PX, max(24.0, ratio * WIDTH_PX)
    return max(24.0, HEIGHT_PX / ratio), HEIGHT_PX


def _cell(
    lon: Degrees,
    lat: Degrees,
    box: tuple[float, float, float, float],
    rows: int,
    columns: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    west, south, east, north = box
    column = ((lon - west) / (east - west) * columns).astype(np.int64)
    row = ((north - lat) / (north - south) * rows).astype(np.int64)
    return row.clip(0, rows - 1), column.clip(0, columns - 1)


def _grid(
    there: NDArray[np.bool_], shade: NDArray[np.int64], size: tuple[float, float]
) -> str:
    """All cells in grey, and above them those of each shade; one path each."""
    wide, high = size
    to = f'transform="scale({wide:.4f},{high:.4f})"'
    grey = f'<path {to} d="{_runs(there)}" fill="currentColor" opacity=".16"/>'
    line = ""
    if (shade >= 0).sum() < _OUTLINED:
        line = (
            'stroke="currentColor" stroke-width=".4" vector-effect="non-scaling-stroke"'
        )
    drawn = [
        f'<path {to} d="{_runs(shade == look)}" fill="{colour}" {line}/>'
        for look, colour in enumerate(CIVIDIS)
        if (shade == look).any()
    ]
    return grey + "".join(drawn)


def _runs(held: NDArray[np.bool_]) -> str:
    """A path around cells, those side by side in a row as one rectangle."""
    padded = np.pad(held, ((0, 0), (1, 1))).astype(np.int8)
    step = np.diff(padded, axis=1)
    row, start = np.nonzero(step == 1)
    _, end = np.nonzero(step == -1)
    return "".join(
        f"M{x} {y}h{length}v1h-{length}z"
        for x, y, length in zip(
            start.tolist(), row.tolist(), (end - start).tolist(), strict=True
        )
    )


def _svg(wide: float, high: float, words: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" '
        f'width="{wide:.0f}" height="{high:.0f}" role="img" aria-label="{escape(words)}" '
        f'style="display:block">{inside}</svg>'
    )
