"""Areas drawn on the map: checked once, then spoken of by name."""

import json
from hashlib import blake2b
from typing import Annotated, Any

import pyproj
import shapely
from fastapi import APIRouter, Body
from shapely.geometry.base import BaseGeometry

from terradrift.query import region as regions
from terradrift.serve.faults import Fault
from terradrift.serve.held import Held
from terradrift.serve.turned import turned

VERTICES = 20_000
"""Corners of a region at most."""
BYTES = 2 << 20
"""Of its GeoJSON at most."""
_FORM = "a Polygon or a MultiPolygon, a Feature or a FeatureCollection of them"
_AREAS = ("Polygon", "MultiPolygon")
_GEOD = pyproj.Geod(ellps="WGS84")


def router(held: Held) -> APIRouter:
    """`/api/regions`."""
    routes = APIRouter()

    @routes.post("/api/regions")
    def named(geojson: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        """Give an area a name, by which filters know it; the same area has the same name."""
        shape = area(geojson)
        name = blake2b(shapely.to_wkb(shape), digest_size=10).hexdigest()
        held.regions.keep(name, shape)
        square_metres, _ = _GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))
        return {"region": name, "area_km2": abs(square_metres) / 1e6}

    return routes


def area(geojson: dict[str, Any]) -> BaseGeometry:
    """The polygons of GeoJSON as one, in degrees, cut at the antimeridian.

    Raises:
        Fault: not GeoJSON of polygons, or too large.
        QueryError: not in degrees, or crossing itself.
    """
    text = json.dumps(geojson)
    if len(text) > BYTES:
        raise Fault(
            f"expected a region of at most {BYTES:,} bytes, got {len(text):,}; simplify it"
        )
    if geojson.get("type") == "FeatureCollection":
        parts = geojson.get("features")
        parts = parts if isinstance(parts, list) else []
    else:
        parts = [geojson]
    shapes = [_polygons(part) for part in parts]
    if not shapes:
        raise Fault(f"expected {_FORM}, got no feature")
    shape = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
    count = int(shapely.get_num_coordinates(shape))
    if count > VERTICES:
        raise Fault(
            f"expected a region of at most {VERTICES:,} corners, got {count:,}; simplify it"
        )
    return shape


def _polygons(part: Any) -> BaseGeometry:  # noqa: ANN401 - whatever a visitor sends
    found = (
        part.get("geometry") if isinstance(part, dict) and _is_feature(part) else part
    )
    if not isinstance(found, dict) or found.get("type") not in _AREAS:
        kind = found.get("type") if isinstance(found, dict) else found
        raise Fault(f"expected {_FORM}, got {kind!s:.40}")
    shape = regions.parse(_turned(found))
    if shape.area == 0:
        raise Fault("expected a region with an area; draw three corners or more")
    return shape


def _turned(polygons: dict[str, Any]) -> dict[str, Any] | BaseGeometry:
    """The polygons on the world's first copy, if they are any; else as they are."""
    try:
        shape = shapely.from_geojson(json.dumps(polygons))
    except shapely.errors.GEOSException:
        return polygons
    return turned(shape) if shape.is_valid and not shape.is_empty else polygons


def _is_feature(part: dict[str, Any]) -> bool:
    return part.get("type") == "Feature"
