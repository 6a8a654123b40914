"""Patches as quadrilaterals of whole numbers, in an order in which tiles are runs."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift.errors import ArchiveError
from terradrift.serve.columns import curve, mercator
from terradrift.serve.columns.curve import Keys
from terradrift.serve.columns.mercator import BITS, WORLD

_HEADER = np.frombuffer(bytes.fromhex("01030000000100000005000000"), np.uint8)
"""How the WKB of a polygon of one ring of five points begins."""
_RING_BYTES = 80
_POINTS = 5
_SAMPLE = 10_000
_CELLS = 4
"""Into so many cells a side of what is looked for is cut, at least half as many."""

Corners = NDArray[np.int32]
"""(n, 4, 2) x and y in a round, clockwise on a map whose y goes down."""


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """`n` patches, or changes of patches, sorted along the curve by the middle of their box."""

    key: Keys
    """(n,), ascending."""
    corners: Corners
    """Units of `mercator`; a patch on the antimeridian goes on beyond the world's edge, or is
    beyond it altogether where it is stored so."""
    reach: int
    """Units from the middle of the box of any of them to its sides, at most."""
    width: int
    """Units from west to east, the median of many; 1 at least."""

    def __len__(self) -> int:
        return len(self.key)

    def run(self, zoom: int, x: int, y: int) -> slice:
        """Rows whose middle lies in a tile."""
        ((first, last),) = curve.runs(self.key, zoom, np.array([x]), np.array([y]))
        return slice(int(first), int(last))

    def touching(
        self, west: int, north: int, east: int, south: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows whose box touches one in units, and what to add to their x there.

        The box may reach beyond the world's edge, where it goes on at the other.
        """
        grown = self.reach + 1
        rows, shift = self._around(
            west - grown, north - grown, east + grown, south + grown
        )
        low, high = bounds(self.corners[rows])
        # The curve goes on at the other side with what is stored beyond the edge.
        shift -= middles(low, high)[:, 0] // WORLD * WORLD
        touches = (low[:, 0] + shift <= east) & (high[:, 0] + shift >= west)
        touches &= (low[:, 1] <= south) & (high[:, 1] >= north)
        return rows[touches], shift[touches]

    def _around(
        self, west: int, north: int, east: int, south: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows whose middle is near a box or in it, none twice."""
        size = max(east - west, south - north, 1)
        zoom = min(BITS, BITS - size.bit_length() + _CELLS.bit_length() - 1)
        if zoom < 1 or east - west >= WORLD:
            rows = np.arange(len(self))
            return rows, np.zeros(len(rows), np.int64)
        cell = BITS - zoom
        columns = np.arange(west >> cell, (east >> cell) + 1)
        lines = np.arange(max(north, 0) >> cell, (min(south, WORLD - 1) >> cell) + 1)
        y, x = (axis.ravel() for axis in np.meshgrid(lines, columns, indexing="ij"))
        _, once = np.unique(y * (1 << zoom) + x % (1 << zoom), return_index=True)
        x, y = x[once], y[once]
        found = curve.runs(self.key, zoom, x % (1 << zoom), y)
        count = found[:, 1] - found[:, 0]
        start = np.repeat(found[:, 0] - (np.cumsum(count) - count), count)
        return start + np.arange(len(start)), np.repeat(x >> zoom, count) * WORLD


def sort(corners: Corners) -> tuple[Squares, NDArray[np.int64]]:
    """Squares, and of each of them its row in `corners`."""
    low, high = bounds(corners)
    middle = middles(low, high)
    key = curve.keys(middle[:, 0] % WORLD, middle[:, 1])
    order = np.argsort(key, kind="stable")
    reach = int((high - low).max(initial=0) // 2 + 1)
    wide = (high - low)[:: len(corners) // _SAMPLE + 1, 0]
    width = max(int(np.median(wide)), 1) if len(wide) else 1
    return Squares(key[order], corners[order], reach, width), order


def bounds(corners: Corners) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(n, 2) lowest and highest x and y of each square."""
    low = np.minimum(corners[:, 0], corners[:, 1])
    high = np.maximum(corners[:, 0], corners[:, 1])
    for corner in (corners[:, 2], corners[:, 3]):
        np.minimum(low, corner, out=low)
        np.maximum(high, corner, out=high)
    return low, high


def middles(low: NDArray[np.int32], high: NDArray[np.int32]) -> NDArray[np.int32]:
    """(n, 2) middle of each box."""
    return np.asarray(low + ((high - low) >> 1))


def of_wkb(geometry: pa.Array, table: str) -> Corners:
    """Quadrilaterals of polygons in degrees; those of other shape as their boxes.

    Raises:
        ArchiveError: a row without a place.
    """
    if geometry.null_count:
        raise ArchiveError(
            f"{geometry.null_count} rows of {table} have no geometry; "
            "run terradrift validate"
        )
    offsets = np.frombuffer(geometry.buffers()[1], _width(geometry.type))
    offsets = offsets[geometry.offset : geometry.offset + len(geometry) + 1]
    held = np.frombuffer(geometry.buffers()[2] or b"", np.uint8)
    degrees = np.empty((len(geometry), 4, 2))
    sized = np.diff(offsets) == len(_HEADER) + _RING_BYTES
    at = offsets[:-1][sized]
    width = len(_HEADER) + _RING_BYTES
    if sized.all() and len(at):
        blocks = held[offsets[0] : offsets[-1]].reshape(-1, width)
    else:
        blocks = held[at[:, None] + np.arange(width)]
    plain = (blocks[:, : len(_HEADER)] == _HEADER).all(axis=1)
    rings = np.ascontiguousarray(blocks[plain, len(_HEADER) :]).view("<f8")
    rows = np.flatnonzero(sized)[plain]
    degrees[rows] = rings.reshape(-1, _POINTS, 2)[:, :4]
    if len(rows) < len(geometry):
        others = np.setdiff1d(np.arange(len(geometry)), rows)
        degrees[others] = _boxes(geometry.take(pa.array(others)))
    return of_degrees(degrees)


def of_degrees(corners: NDArray[np.float64]) -> Corners:
    """Units of (n, 4, 2) longitudes and latitudes."""
    x, y = mercator.x_of(corners[..., 0]), mercator.y_of(corners[..., 1])
    found = np.stack([x, y], axis=-1).astype(np.int32)
    across = (found[:, 2:] - found[:, :2]).astype(np.int64)
    turns_back = across[:, 0, 0] * across[:, 1, 1] < across[:, 0, 1] * across[:, 1, 0]
    found[turns_back] = found[turns_back, ::-1]
    return found


def _boxes(geometry: pa.Array) -> NDArray[np.float64]:
    shapes = shapely.from_wkb(np.asarray(geometry.to_pylist(), dtype=object))
    west, south, east, north = shapely.bounds(shapes).T
    return np.stack(
        [
            np.stack([west, west, east, east], axis=1),
            np.stack([south, north, north, south], axis=1),
        ],
        axis=-1,
    )


def _width(type_: pa.DataType) -> type[np.integer]:
    return np.int64 if pa.types.is_large_binary(type_) else np.int32
