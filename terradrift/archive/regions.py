"""Places as users write them, read at the edge: boxes and vector files to one geometry."""

import json
from collections.abc import Sequence
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

Box = tuple[float, float, float, float]


def box(value: str | Sequence[float]) -> Box:
    """West, south, east, north in degrees from `"3.0,50.8,3.1,50.9"` or four numbers.

    Raises:
        ValueError: not four numbers, out of range, or south above north.
    """
    parts = value.split(",") if isinstance(value, str) else list(value)
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError as error:
        raise ValueError(
            f"expected a box west,south,east,north in degrees, got {value!r}"
        ) from error
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90):
        raise ValueError(
            "expected a box west,south,east,north in degrees with south below north, "
            f"got {west:g},{south:g},{east:g},{north:g}"
        )
    return west, south, east, north


def box_geometry(bounds: Box) -> BaseGeometry:
    """The box as a polygon; as two where it crosses the antimeridian (west > east)."""
    west, south, east, north = bounds
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.union_all(
        [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)]
    )


def region(value: str | Path | BaseGeometry) -> BaseGeometry:
    """A region in degrees from a geometry, GeoJSON text, or any vector file that GDAL reads.

    Raises:
        ValueError: nothing there, unreadable, or without an area.
    """
    if isinstance(value, BaseGeometry):
        found = value
    elif isinstance(value, str) and value.lstrip().startswith("{"):
        found = _geojson(value)
    else:
        found = _file(Path(value))
    if found.is_empty or found.area == 0:
        raise ValueError(
            f"expected a region with an area, got an empty {found.geom_type}"
        )
    west, south, east, north = found.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise ValueError(
            "expected a region in degrees (WGS 84), got coordinates "
            f"{west:g} to {east:g} and {south:g} to {north:g}"
        )
    return shapely.make_valid(found)


def _geojson(text: str) -> BaseGeometry:
    try:
        return shapely.union_all(shapely.get_parts(shapely.from_geojson(text)))
    except (shapely.errors.GEOSException, json.JSONDecodeError) as error:
        raise ValueError(f"expected GeoJSON, got {text[:60]!r}: {error}") from error


def _file(path: Path) -> BaseGeometry:
    import geopandas
    import pyogrio

    if not path.exists():
        raise ValueError(f"no region file at {path}")
    try:
        frame = geopandas.read_file(path)
    except pyogrio.errors.DataSourceError as error:
        raise ValueError(
            f"expected a vector file such as GeoJSON or GeoPackage, got {path}: {error}"
        ) from error
    if frame.crs is not None:
        frame = frame.to_crs(4326)
    merged: BaseGeometry = frame.geometry.union_all()
    return merged
