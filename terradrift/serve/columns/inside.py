"""Which changes touch a region: as `within` of SQL and search says, without reading a million."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift.query.where import Where
from terradrift.serve.columns import mercator, squares
from terradrift.serve.columns.mercator import WORLD

BLOCK = 64
"""Rows that are looked at together first."""
_PART = 8
"""And those that are looked at together next; divides `BLOCK`."""
_SLACK = 2
"""Units by which whole numbers may differ from what is stored, and one more."""


def blocks(corners: NDArray[np.int32]) -> NDArray[np.int64]:
    """(b, 4) west, north, east and south of every `BLOCK` rows."""
    return _around(corners, np.arange(len(corners)) % BLOCK == 0)


def _around(corners: NDArray[np.int32], first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Boxes of runs of rows, of each of which the `first` is told."""
    if not len(corners):
        return np.empty((0, 4), np.int64)
    starts = np.flatnonzero(first)
    low, high = squares.bounds(corners)
    low = np.minimum.reduceat(low, starts)
    high = np.maximum.reduceat(high, starts)
    return np.asarray(np.concatenate([low, high], axis=1), np.int64)


def touching(
    region: BaseGeometry,
    corners: NDArray[np.int32],
    boxes: NDArray[np.int64],
    stored: Callable[[NDArray[np.int64]], pa.Array],
) -> NDArray[np.bool_]:
    """(n,) which squares touch a region in degrees.

    Args:
        region: valid polygons.
        corners: (n, 4, 2), sorted along the curve.
        boxes: `blocks` of them.
        stored: WKB of rows, as the table holds it: asked for where a square comes so near
            the region's rim that whole numbers cannot tell.
    """
    shapely.prepare(region)
    found = np.zeros(len(corners), bool)
    rows = _rim(region, found, np.arange(len(corners)), BLOCK, boxes)
    held = corners[rows]
    rows = _rim(region, found, rows, _PART, _around(held, rows % _PART == 0))
    found[rows], doubtful = _each(region, corners[rows].astype(np.int64))
    unsure = rows[doubtful]
    if len(unsure):
        found[unsure] = Where(region=region).touched(stored(unsure).to_pylist())
    return found


def _rim(
    region: BaseGeometry,
    found: NDArray[np.bool_],
    rows: NDArray[np.int64],
    size: int,
    boxes: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Those of `rows` whose box of `size` neighbours does not tell; `found` of the others."""
    if not len(rows):
        return rows
    starts = rows % size == 0
    block = np.cumsum(starts) - 1
    near = _around_region(region, boxes)
    whole = _boxes(boxes[near], _SLACK)
    touches = shapely.intersects(region, whole)
    near, whole = near[touches], whole[touches]
    inside = np.zeros(len(boxes), bool)
    inside[near] = shapely.contains_properly(region, whole)
    rim = _at_edge(boxes)
    inside &= ~rim
    rim[near] |= ~inside[near]
    found[rows[inside[block]]] = True
    left: NDArray[np.int64] = rows[rim[block]]
    return left


def _around_region(region: BaseGeometry, boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of the boxes touch that of the region, about: none is left out that does."""
    west, south, east, north = region.bounds
    left, right = mercator.x_of(np.array([west, east]))
    top, low = mercator.y_of(np.array([north, south]))
    more = 2 * _SLACK
    beside = (boxes[:, 0] <= right + more) & (boxes[:, 2] >= left - more)
    beside &= (boxes[:, 1] <= low + more) & (boxes[:, 3] >= top - more)
    return np.flatnonzero(beside)


def _at_edge(boxes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(b,) which boxes are at the world's edge, where places are not what is stored."""
    beyond = (boxes[:, 0] < 0) | (boxes[:, 2] >= WORLD)
    return np.asarray(beyond | (boxes[:, 1] <= 0) | (boxes[:, 3] >= WORLD - 1))


def _each(
    region: BaseGeometry, corners: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(m,) which squares touch, and of which that is not sure."""
    middle = corners.mean(axis=1)
    low, high = corners.min(axis=1), corners.max(axis=1)
    small = (high - low).min(axis=1) <= 4 * _SLACK
    small |= _at_edge(np.concatenate([low, high], axis=1))
    longitude, latitude = mercator.degrees(middle[:, 0], middle[:, 1])
    touches = shapely.contains_xy(region, longitude, latitude) & ~small
    others = np.flatnonzero(~touches)
    # Of those whose middle is outside few come near at all, and most of these for sure.
    boxes = _boxes(np.concatenate([low, high], axis=1)[others], _SLACK)
    others = others[shapely.intersects(region, boxes) | small[others]]
    away = np.sign(corners[others] - middle[others, None]) * _SLACK
    shrunk = shapely.intersects(region, _polygons(corners[others] - away))
    touches[others] = shrunk & ~small[others]
    others = others[~touches[others]]
    away = np.sign(corners[others] - middle[others, None]) * _SLACK
    grown = shapely.intersects(region, _polygons(corners[others] + away))
    doubtful = np.zeros(len(corners), bool)
    doubtful[others] = grown | small[others]
    return touches, doubtful


def _polygons(corners: NDArray[np.floating]) -> NDArray[np.object_]:
    degrees = np.stack(mercator.degrees(corners[..., 0], corners[..., 1]), axis=-1)
    return np.asarray(shapely.polygons(degrees), dtype=object)


def _boxes(boxes: NDArray[np.int64], slack: int) -> NDArray[np.object_]:
    west, north = mercator.degrees(boxes[:, 0] - slack, boxes[:, 1] - slack)
    east, south = mercator.degrees(boxes[:, 2] + slack, boxes[:, 3] + slack)
    return np.asarray(shapely.box(west, south, east, north), dtype=object)
