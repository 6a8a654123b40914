"""Areas on the ground as users give them: a GeoJSON text, a file or a shape."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from terradrift.errors import QueryError

Bbox = tuple[float, float, float, float]

_FORM = "a GeoJSON file, a GeoJSON text or a shapely geometry, in degrees"


def parse(given: "str | Path | Mapping[str, Any] | BaseGeometry") -> BaseGeometry:
    """Read a region: a path to a vector file, GeoJSON as text or mapping, or a shape.

    Files other than GeoJSON are brought to WGS 84 from the CRS they state.

    Raises:
        QueryError: unreadable, empty, invalid, or not in degrees.
    """
    if isinstance(given, BaseGeometry):
        return _checked(given, "the geometry")
    if isinstance(given, Mapping):
        return _from_geojson(json.dumps(given), "the GeoJSON")
    text = str(given)
    if text.lstrip().startswith("{"):
        return _from_geojson(text, "the GeoJSON")
    if not text.strip():
        raise QueryError(f"expected {_FORM} as region, got {text!r}; leave it out")
    path = Path(text).expanduser()
    if not _is_file(path):
        raise QueryError(f"expected {_FORM} as region, got no file {text:.200}")
    if path.suffix.lower() in (".geojson", ".json"):
        return _from_geojson(path.read_text(), text)
    return _from_file(path)


def parse_bbox(given: "str | tuple[float, ...] | list[float]") -> Bbox:
    """West, south, east, north in degrees; west > east crosses the antimeridian.

    Raises:
        QueryError: not four numbers, not in degrees, or south above north.
    """
    parts = given.split(",") if isinstance(given, str) else given
    try:
        west, south, east, north = (float(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise QueryError(
            f"expected a box west,south,east,north in degrees, got {given!r}"
        ) from error
    inside = -180 <= west <= 180 and -180 <= east <= 180
    if not (inside and -90 <= south <= north <= 90):
        raise QueryError(
            "expected a box west,south,east,north in degrees with south below north, "
            f"got {west:g},{south:g},{east:g},{north:g}"
        )
    return west, south, east, north


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # text that is too long for a name
        return False


def _from_geojson(text: str, name: str) -> BaseGeometry:
    try:
        shape = shapely.from_geojson(text)
    except shapely.errors.GEOSException as error:
        raise QueryError(
            f"expected {_FORM} as region, cannot read {name}: {error}"
        ) from error
    return _checked(shape, name)


def _from_file(path: Path) -> BaseGeometry:
    import geopandas as gpd
    import pyogrio

    try:
        read = gpd.read_parquet if path.suffix == ".parquet" else gpd.read_file
        frame = read(path)
    except (OSError, ValueError, pyogrio.errors.DataSourceError) as error:
        raise QueryError(
            f"expected {_FORM} as region, cannot read {path}: {error}"
        ) from error
    if frame.crs is None:
        raise QueryError(f"region {path} states no CRS; save it with one")
    return _checked(frame.geometry.to_crs("OGC:CRS84").union_all(), str(path))


def _checked(shape: BaseGeometry, name: str) -> BaseGeometry:
    if shape.is_empty:
        raise QueryError(f"expected a region with an area or a point, {name} is empty")
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        raise QueryError(
            f"region is not valid ({name}): {reason}; mend it, for instance with "
            "shapely.make_valid"
        )
    west, south, east, north = shape.bounds
    if not (np.abs([west, east]).max() <= 180 and np.abs([south, north]).max() <= 90):
        raise QueryError(
            f"expected a region in degrees, {name} reaches from {west:g},{south:g} to "
            f"{east:g},{north:g}; save it in WGS 84"
        )
    return shape
