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
    """A polygon of a ring in degrees, cut at 180 where it jumps from one edge to the other.

    A raster wider than half the globe is taken as it stands.
    """
    jumps = np.abs(np.diff(lon, append=lon[:1])).max() > 180.0
    if not jumps and np.abs(lon).max() <= 180.0:
        return shapely.Polygon(np.column_stack([lon, lat]))
    ring = shapely.Polygon(np.column_stack([lon % 360.0, lat]))
    west = ring.intersection(shapely.box(0, -90, 180, 90))
    east = ring.intersection(shapely.box(180, -90, 360, 90))
    moved = shapely.transform(east, lambda xy: xy - np.array([360.0, 0.0]))
    return shapely.union_all([part for part in (west, moved) if part.area > 0])


@lru_cache(maxsize=64)
def _crs(crs: str) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise SourceError(f"expected a CRS such as EPSG:32631, got {crs!r}") from error


@lru_cache(maxsize=64)
def _to_degrees(crs: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(_crs(crs), 4326, always_xy=True)
