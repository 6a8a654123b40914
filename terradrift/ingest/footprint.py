"""Where a raster lies on the globe, and how large its pixels are (pure but for pyproj)."""

import math
from functools import lru_cache

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift.errors import SourceError
from terradrift.ingest.header import Transform

_METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6371 km
_EDGE_POINTS = 21


def footprint(crs: str, transform: Transform, shape: tuple[int, int]) -> BaseGeometry:
    """Outline of a raster in degrees; in two parts where it crosses the antimeridian.

    Edges get points between the corners, for straight lines of a projection bend.

    Raises:
        SourceError: the outline cannot be projected, so CRS and transform do not fit.
    """
    rows, cols = shape
    along = np.linspace(0.0, 1.0, _EDGE_POINTS)[:-1]
    zero, one = np.zeros_like(along), np.ones_like(along)
    col = np.concatenate([along, one, 1 - along, zero]) * cols
    row = np.concatenate([zero, along, one, 1 - along]) * rows
    a, b, c, d, e, f = transform
    lon, lat = _to_degrees(crs).transform(a * col + b * row + c, d * col + e * row + f)
    lon, lat = np.asarray(lon), np.asarray(lat)
    inside = np.isfinite(lon).all() and np.isfinite(lat).all()
    if not inside or np.abs(lat).max() > 90 or np.abs(lon).max() > 540:
        raise SourceError(
            f"expected a raster inside {crs}, got a corner at x={c:g}, y={f:g}, which lies outside; "
            "its CRS or transform is wrong"
        )
    return _split(lon, lat)


def bounds(geometry: BaseGeometry) -> dict[str, float]:
    """xmin, ymin, xmax, ymax in degrees; xmin > xmax where it crosses the antimeridian."""
    west, south, east, north = geometry.bounds
    parts = [part.bounds for part in getattr(geometry, "geoms", [geometry])]
    if len(parts) > 1 and west == -180.0 and east == 180.0:
        west = min(part[0] for part in parts if part[2] == 180.0)
        east = max(part[2] for part in parts if part[0] == -180.0)
    return {"xmin": west, "ymin": south, "xmax": east, "ymax": north}


def pixel_metres(crs: str, transform: Transform, stated: float | None) -> float:
    """Side of a pixel on the ground in metres: the finer side in a projection.

    Pixels in degrees are narrower east-west the further from the equator: there `stated`
    stands where it is within a quarter of the north-south size, else that size, rounded.
    """
    a, b, _, d, e, _ = transform
    across, down = math.hypot(a, d), math.hypot(b, e)
    known = _crs(crs)
    if not known.is_geographic:
        unit = known.axis_info[0].unit_conversion_factor
        return round(min(across, down) * unit, 6)
    metres = down * _METRES_PER_DEGREE
    if stated is not None and abs(stated - metres) <= metres / 4:
        return stated
    return float(round(metres)) if metres >= 2 else round(metres, 2)


def _split(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> BaseGeometry:
    """A polygon of a ring in degrees, cut where it crosses 180; up to the pole where it has it."""
    closed = np.unwrap(np.append(lon, lon[:1]), period=360.0)
    if abs(closed[-1] - closed[0]) > 180.0:
        return _around_pole(lon, lat)
    east = closed[:-1] - 360.0 * np.floor((closed.min() + 180.0) / 360.0)
    ring = shapely.Polygon(np.column_stack([east, lat]))
    if not ring.is_valid:
        raise SourceError(
            "expected a raster whose outline does not cross itself in degrees; "
            "its CRS or transform is wrong"
        )
    if east.max() <= 180.0:
        return ring
    west = ring.intersection(shapely.box(-180, -90, 180, 90))
    rest = ring.intersection(shapely.box(180, -90, 540, 90))
    moved = shapely.transform(rest, lambda xy: xy - np.array([360.0, 0.0]))
    return shapely.union_all([part for part in (west, moved) if part.area > 0])


def _around_pole(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> BaseGeometry:
    """The polygon between a ring that goes once around the globe and its nearer pole."""
    order = np.argsort(lon)
    pole = math.copysign(90.0, float(lat.mean()))
    edge = float(lat[np.abs(lon).argmax()])
    sides = [(180.0, edge), (180.0, pole), (-180.0, pole), (-180.0, edge)]
    return shapely.Polygon([*zip(lon[order], lat[order], strict=True), *sides])


@lru_cache(maxsize=64)
def _crs(crs: str) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise SourceError(f"expected a CRS such as EPSG:32631, got {crs!r}") from error


@lru_cache(maxsize=64)
def _to_degrees(crs: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(_crs(crs), 4326, always_xy=True)
