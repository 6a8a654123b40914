"""Where rows lie: geometries of GeoParquet, with or without a stated CRS, as corners in degrees."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from terradrift.errors import SchemaError
from terradrift.grid import Grid
from terradrift.store.majortom.places import moved, zones

_SAMPLE = 256
_ALIGNED = 1.0
"""Metres by which squares edge to edge may miss each other."""


@dataclass(frozen=True, slots=True)
class Crs:
    """In which coordinates a file's geometries are."""

    to_degrees: pyproj.Transformer | None
    """None: they are degrees already."""
    assumed: bool
    """Whether nothing states a CRS, and degrees are taken for granted."""


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Places of `n` rows."""

    center: NDArray[np.float64]
    """(n, 2), longitude and latitude."""
    corner: NDArray[np.float32]
    """(n, 4, 2), corners less the centre, degrees; NaN of points."""
    there: NDArray[np.bool_]
    """(n,), False where there is no geometry."""


def crs(geo: Mapping[str, Any], path: Path) -> Crs:
    """The CRS of the column `geometry`; GeoParquet's own default is OGC:CRS84.

    Raises:
        SchemaError: a CRS or an encoding that cannot be read.
    """
    named = geo.get("columns")
    told = named.get("geometry") if isinstance(named, dict) else None
    if not isinstance(told, dict):
        return Crs(None, assumed=True)
    if str(told.get("encoding", "WKB")).upper() != "WKB":
        raise SchemaError(
            f"{path}: expected geometries as WKB, got {told['encoding']}; write it anew as "
            "GeoParquet 1.0 or 1.1 with WKB"
        )
    if "crs" not in told:
        return Crs(None, assumed=False)
    if told["crs"] is None:
        return Crs(None, assumed=True)
    try:
        found = pyproj.CRS.from_user_input(told["crs"])
        if found.is_geographic and "WGS 84" in found.name:
            return Crs(None, assumed=False)
        to = pyproj.Transformer.from_crs(found, "OGC:CRS84", always_xy=True)
    except pyproj.exceptions.ProjError as error:
        raise SchemaError(
            f"{path} states a CRS that cannot be read: {error}"
        ) from error
    return Crs(to, assumed=False)


def read(column: pa.Array, where: Crs, path: Path) -> Spots:
    """Centres and corners of a column of geometries.

    Raises:
        SchemaError: no WKB, or coordinates that cannot be degrees in a file without a CRS.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise SchemaError(f"{path}: expected geometries as WKB, got {column.type}")
    shapes = shapely.from_wkb(
        column.to_numpy(zero_copy_only=False), on_invalid="ignore"
    )
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    shapes[~there] = None
    if where.to_degrees is not None:
        shapes = shapely.transform(shapes, partial(_degrees, where.to_degrees))
    low_high = shapely.bounds(shapes)
    with np.errstate(invalid="ignore"):
        there &= np.isfinite(low_high).all(axis=1)
        beyond = there & (np.abs(low_high) > [180.0, 90.0, 360.0, 90.0]).any(axis=1)
        wide = there & (low_high[:, 2] - low_high[:, 0] > 180)
    if beyond.any():
        how = "does not state its CRS, and" if where.assumed else "states degrees, but"
        raise SchemaError(
            f"{path} {how} has coordinates such as "
            f"{low_high[beyond][0, 0]:g},{low_high[beyond][0, 1]:g}, which are no degrees; "
            "write its CRS into it (geopandas: set_crs, to_parquet)"
        )
    if wide.any():  # across the antimeridian, drawn the long way round
        shapes[wide] = shapely.transform(shapes[wide], _eastwards)
        low_high[wide] = shapely.bounds(shapes[wide])
    centroid = shapely.centroid(shapes)
    center = np.column_stack([shapely.get_x(centroid), shapely.get_y(centroid)])
    corner = _corners(shapes, low_high) - center[:, None]
    center[:, 0] = (center[:, 0] + 180) % 360 - 180
    return Spots(center, corner.astype(np.float32), there)


def squares(
    center: NDArray[np.float64], side: float, grid: Grid
) -> NDArray[np.float32]:
    """(n, 4, 2) corners, less the centre, of squares about points in the grid's CRS."""
    found = np.empty((len(center), 4, 2), np.float32)
    shape = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2
    codes = zones(center, grid)
    for code in np.unique(codes).tolist():
        here = codes == code
        middle = moved(4326, code, center[here, 0], center[here, 1])
        at = middle[:, None] + shape
        degrees = moved(code, 4326, at[..., 0], at[..., 1]) - center[here][:, None]
        degrees[..., 0] = (degrees[..., 0] + 180) % 360 - 180
        found[here] = degrees
    return found


def side(spots: Spots, grid: Grid) -> tuple[float, bool] | None:
    """Metres of a side in the grid's CRS, and whether squares lie edge to edge in it.

    The median of a sample of squares; None of points. They lie so where their corners are
    whole sides apart: a grid of as large patches then has one for each.
    """
    known = np.flatnonzero(spots.there & np.isfinite(spots.corner).all(axis=(1, 2)))
    if len(known) == 0:
        return None
    some = known[:: max(1, len(known) // _SAMPLE)]
    codes = zones(spots.center[some], grid)
    code = int(np.bincount(codes).argmax())
    some = some[codes == code]
    degrees = spots.center[some][:, None] + spots.corner[some]
    at = moved(4326, code, degrees[..., 0], degrees[..., 1])
    area = _area(at)
    found = float(np.sqrt(np.median(area)))
    if found <= 0:
        return None
    shift = (at.mean(axis=1) - at[0].mean(axis=0)) / found
    apart = np.abs(shift - np.round(shift)).max()
    return found, bool(len(some) > 1 and apart * found < _ALIGNED)


def _area(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) square metres of polygons of four corners (n, 4, 2)."""
    x, y = at[..., 0], at[..., 1]
    twice = (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)
    return np.asarray(np.abs(twice) / 2)


def _degrees(
    to: pyproj.Transformer, points: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.column_stack(to.transform(points[:, 0].copy(), points[:, 1].copy()))


def _eastwards(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([points[:, 0] % 360, points[:, 1]])


def _corners(
    shapes: NDArray[np.object_], box: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 4, 2) corners of squares; of other shapes those of their box, NaN of points."""
    west, south, east, north = box.T
    found = np.stack(
        [
            np.column_stack(pair)
            for pair in ((west, south), (east, south), (east, north), (west, north))
        ],
        axis=1,
    )
    square = (shapely.get_type_id(shapes) == 3) & (
        shapely.get_num_coordinates(shapes) == 5
    )
    square &= shapely.get_num_interior_rings(shapes) == 0
    if square.any():
        points = shapely.get_coordinates(shapes[square]).reshape(-1, 5, 2)
        found[square] = points[:, :4]
    found[shapely.get_type_id(shapes) == 0] = np.nan
    return found
