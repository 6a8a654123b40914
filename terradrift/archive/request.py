"""What a user asks for, parsed at the edge."""

from collections.abc import Sequence
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from terradrift.ingest.scene import Filters
from terradrift.period import Period
from terradrift.query import region as regions


def filters(
    bbox: str | tuple[float, ...] | None = None,
    region: str | Path | BaseGeometry | None = None,
    datetime: str | Period | None = None,
    collection: str | Sequence[str] = (),
    max_cloud: float | None = None,
) -> Filters:
    """Filters as users write them, parsed; a box restricts the patches as a region does.

    Raises:
        ValueError: says what was expected.
    """
    if bbox is not None and region is not None:
        raise ValueError("pass --bbox or --region-file, not both")
    place = regions.parse(region) if region is not None else None
    bounds = regions.parse_bbox(bbox) if bbox is not None else None
    if bounds is not None:
        place = box_geometry(bounds)
    period = Period.parse(datetime) if isinstance(datetime, str) else datetime
    if max_cloud is not None and not 0 <= max_cloud <= 100:
        raise ValueError(f"max cloud is a percentage from 0 to 100, got {max_cloud:g}")
    names = (collection,) if isinstance(collection, str) else tuple(collection)
    return Filters(
        bbox=bounds,
        region=place,
        period=period,
        collections=names,
        max_cloud=max_cloud,
    )


def box_geometry(bounds: regions.Bbox) -> BaseGeometry:
    """The box as a polygon; as two where it crosses the antimeridian (west > east)."""
    west, south, east, north = bounds
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.union_all(
        [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)]
    )
