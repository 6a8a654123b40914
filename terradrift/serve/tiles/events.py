"""Tiles of events: their outlines, the small ones thinned far out."""

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift.serve.columns.changes import NONE
from terradrift.serve.columns.events import Events
from terradrift.serve.columns.mercator import WORLD
from terradrift.serve.tiles import place as places
from terradrift.serve.tiles.encode import GEOMETRY, encode
from terradrift.serve.tiles.place import BUFFER, EXTENT, PIXEL, Place

OUTLINES = 1500
"""Of a tile at most, by rank; more are thinned like small ones."""
_CELL = 16 * PIXEL
"""Of events smaller than this the first rank in each such square is drawn."""
_SMOOTH = PIXEL / 2
_AREA = 2
"""Dimensions of one."""
_MIXED = 7
"""Type of a GeometryCollection."""


def tile(events: Events, n: NDArray[np.int64], place: Place) -> bytes:
    """The layer `events` of a tile; `n` (e,) is how many changes of each event pass."""
    at, shift = _touching(events, n > 0, place)
    boxes = events.boxes[at] + shift[:, None] * np.array([1, 0, 1, 0])
    inside = place.inside(boxes.reshape(-1, 2)).reshape(-1, 4)
    kept = _thinned(inside)
    at, shift = at[kept], shift[kept]
    shapes = _shapes(events.outlines[at], shift, place)
    drawn = ~shapely.is_empty(shapes)
    at, shapes = at[drawn], shapes[drawn]
    kind = events.kind[at]
    # The first ranks come last, so that they are drawn over others.
    rows = pa.table(
        {
            "id": events.event_id.take(pa.array(at)),
            "rank": events.rank[at],
            "kind": pa.array(kind, mask=kind == NONE),
            "n": n[at].astype(np.int32),
            "score": np.round(events.score[at], 2),
            GEOMETRY: pa.array(list(shapely.to_wkb(shapes)), pa.binary()),
        }
    )
    return encode("events", rows.take(pa.array(np.arange(len(at))[::-1])))


def _touching(
    events: Events, shown: NDArray[np.bool_], place: Place
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Events by rank whose box touches the tile, and what to add to their x there."""
    west, north, east, south = place.box()
    boxes = events.boxes
    found, shifts = [], []
    for shift in (0, -WORLD, WORLD):
        touches = shown & (boxes[:, 0] + shift <= east) & (boxes[:, 2] + shift >= west)
        touches &= (boxes[:, 1] <= south) & (boxes[:, 3] >= north)
        rows = np.flatnonzero(touches)
        found.append(rows)
        shifts.append(np.full(len(rows), shift))
    at, shift = np.concatenate(found), np.concatenate(shifts)
    order = np.argsort(at, kind="stable")
    return at[order], shift[order]


def _thinned(boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of (m, 4) boxes by rank are drawn: the large, and the first of small ones."""
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    large = np.flatnonzero(size >= _CELL)[:OUTLINES]
    others = np.ones(len(boxes), bool)
    others[large] = False
    rest = np.flatnonzero(others)
    middle = (boxes[rest, :2] + boxes[rest, 2:]) / 2
    column, line = np.floor(middle / _CELL).astype(np.int64).T
    _, first = np.unique(line * (2 * EXTENT) + column, return_index=True)
    return np.sort(np.concatenate([large, rest[first]]))


def _shapes(
    outlines: NDArray[np.object_], shift: NDArray[np.int64], place: Place
) -> NDArray[np.object_]:
    """Outlines in whole numbers of the tile, cut near its edge; small ones as boxes."""
    if not len(outlines):
        return outlines
    moved, of = shapely.get_coordinates(outlines, return_index=True)
    moved[:, 0] += shift[of]
    inside = shapely.set_coordinates(outlines.copy(), place.inside(moved))
    bounds = np.asarray(shapely.bounds(inside)).reshape(-1, 4)
    shapes = np.asarray(shapely.simplify(inside, _SMOOTH, preserve_topology=False))
    broken = ~shapely.is_valid(shapes)
    shapes[broken] = shapely.make_valid(
        inside[broken], method="structure", keep_collapsed=False
    )
    small = shapely.is_empty(shapes)
    low, high = bounds[small, :2], np.maximum(bounds[small, 2:], bounds[small, :2] + 1)
    shapes[small] = shapely.polygons(places.boxes(low, high))
    beyond = (bounds < -BUFFER) | (bounds > EXTENT + BUFFER)
    crossing = np.flatnonzero(beyond.any(axis=1))
    shapes[crossing] = _cut(shapes[crossing])
    mixed = shapely.get_type_id(shapes) == _MIXED
    shapes[mixed] = [_areas(one) for one in shapes[mixed]]
    shapes[shapely.get_dimensions(shapes) != _AREA] = shapely.Polygon()
    return np.asarray(shapely.orient_polygons(shapes), dtype=object)


def _cut(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """What lies near the tile, in whole numbers."""
    ends = -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER
    cut = np.asarray(shapely.clip_by_rect(shapes, *ends), dtype=object)
    cut = shapely.transform(cut, np.rint)
    # The exact way takes five times as long.
    broken = ~shapely.is_valid(cut)
    cut[broken] = shapely.intersection(shapes[broken], shapely.box(*ends), grid_size=1)
    return cut


def _areas(mixed: BaseGeometry) -> BaseGeometry:
    """The areas of a collection; the lines that rounding leaves of thin parts are dropped."""
    parts = shapely.get_parts(mixed)
    return shapely.union_all(parts[shapely.get_dimensions(parts) == _AREA])
