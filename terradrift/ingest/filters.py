"""What the user asked for: which scenes, and how to read them (parsed once, at the edge)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pystac
import shapely
from shapely.geometry.base import BaseGeometry

from terradrift.errors import SourceError
from terradrift.ingest.pattern import Pattern
from terradrift.ingest.stated import PROBLEM
from terradrift.period import Period

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which scenes of a source are wanted; None and () mean no limit."""

    bbox: Box | None = None
    """West, south, east, north in degrees; west > east crosses the antimeridian."""
    region: BaseGeometry | None = None
    """Polygons in degrees."""
    period: Period | None = None
    collections: tuple[str, ...] = ()
    max_cloud: float | None = None
    """Percent; scenes that do not state their cloud cover are kept."""

    def __post_init__(self) -> None:
        if self.bbox is not None:
            west, south, east, north = self.bbox
            if not (
                -90 <= south <= north <= 90
                and all(-180 <= edge <= 180 for edge in (west, east))
            ):
                raise ValueError(
                    "expected a bbox west,south,east,north in degrees, "
                    f"got {west:g},{south:g},{east:g},{north:g}"
                )
        if self.max_cloud is not None and not 0 <= self.max_cloud <= 100:
            raise ValueError(
                f"max cloud must be a percentage 0 to 100, got {self.max_cloud:g}"
            )

    def boxes(self) -> list[Box]:
        """Boxes with west <= east that hold all wanted ground; empty means anywhere."""
        found = [] if self.bbox is None else _split(self.bbox)
        if self.region is None:
            return found
        area: Box = self.region.bounds
        if not found:
            return [area]
        parts = [shapely.box(*box).intersection(shapely.box(*area)) for box in found]
        return [part.bounds for part in parts if not part.is_empty]

    def matches(self, item: pystac.Item) -> bool:
        """Whether `item` is wanted, as far as its own statements go.

        One that cannot be read is, for it is to be reported.

        Raises:
            SourceError: a period is asked for and the item has no dates.
        """
        if PROBLEM in item.properties:
            return True
        if self.collections and item.collection_id not in self.collections:
            return False
        if self.period is not None and instant(item) not in self.period:
            return False
        cloud = cloud_percent(item)
        if self.max_cloud is not None and cloud is not None and cloud > self.max_cloud:
            return False
        return self._covers(item)

    def _covers(self, item: pystac.Item) -> bool:
        if self.bbox is None and self.region is None:
            return True
        ground = stated_ground(item)
        if ground is None:
            return True
        if self.region is not None and not ground.intersects(self.region):
            return False
        return self.bbox is None or any(
            ground.intersects(shapely.box(*box)) for box in _split(self.bbox)
        )


@dataclass(frozen=True, slots=True)
class Options:
    """How digital numbers, bands and masks of the scenes are to be understood."""

    mask: str = "auto"
    """`auto`, `none`, or the key of the asset that is non-zero where not clear."""
    boa_offset: float | None = None
    """Added to digital numbers of Sentinel-2 whatever the metadata say: 0 or -1000."""
    scale: float | None = None
    """Reflectance per digital number, whatever the metadata say."""
    bands: tuple[str, ...] | None = None
    """Bands to keep; a scene that lacks one is bad. None: all that are found."""
    pattern: str | None = None
    """File-name pattern of a folder: `{collection}_{datetime:%Y%m%d}_{band}.tif`."""
    level: str | None = None
    """Processing level to keep, such as L2A: scenes of another are left out, and those that
    state none are taken to have it."""

    def __post_init__(self) -> None:
        if self.boa_offset is not None and not -10_000 <= self.boa_offset <= 0:
            raise ValueError(
                f"--boa-offset is added to digital numbers: expected 0 or -1000, got {self.boa_offset:g}"
            )
        if self.scale is not None and not self.scale > 0:
            raise ValueError(f"--scale must be above 0, got {self.scale:g}")
        if self.pattern is not None:
            Pattern.parse(self.pattern)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A scene that cannot be used, and why."""

    scene_id: str
    reason: str


def instant(item: pystac.Item) -> datetime:
    """The item's datetime in UTC; the middle where it has a start and an end only.

    Raises:
        SourceError: neither is stated.
    """
    if item.datetime is not None:
        return _utc(item.datetime)
    span = item.common_metadata
    if span.start_datetime is None or span.end_datetime is None:
        raise SourceError(
            f"scene {item.id}: expected a datetime, or start_datetime and end_datetime; got neither"
        )
    start, end = _utc(span.start_datetime), _utc(span.end_datetime)
    return start + (end - start) / 2


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _split(box: Box) -> list[Box]:
    west, south, east, north = box
    if west <= east:
        return [box]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def cloud_percent(item: pystac.Item) -> float | None:
    """Cloud cover that the item states, 0..100; None where it states no number."""
    stated = item.properties.get("eo:cloud_cover")
    return float(stated) if isinstance(stated, int | float) else None


def stated_ground(item: pystac.Item) -> BaseGeometry | None:
    """What the item says it covers, in degrees; None where it says nothing that can be read."""
    if item.geometry is not None:
        return _shape(item.geometry)
    if item.bbox is None or len(item.bbox) not in (4, 6):
        return None
    half = len(item.bbox) // 2
    west, south = item.bbox[:2]
    east, north = item.bbox[half : half + 2]
    return shapely.MultiPolygon(
        [shapely.box(*part) for part in _split((west, south, east, north))]
    )


def _shape(geometry: dict[str, Any]) -> BaseGeometry | None:
    try:
        with np.errstate(invalid="ignore"):  # NaN is looked for below
            shape = shapely.geometry.shape(geometry)
    except (
        shapely.errors.ShapelyError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ):
        return None
    return shape if np.isfinite(shapely.get_coordinates(shape)).all() else None
