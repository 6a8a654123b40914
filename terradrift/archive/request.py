"""What a user asks for, parsed at the edge."""

from collections.abc import Sequence
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from terradrift.archive import regions
from terradrift.ingest.scene import Filters
from terradrift.period import Period


def filters(
    bbox: str | Sequence[float] | None = None,
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
    place = regions.region(region) if region is not None else None
    bounds = regions.box(bbox) if bbox is not None else None
    if bounds is not None:
        place = regions.box_geometry(bounds)
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
