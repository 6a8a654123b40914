"""Where a scene's raster lies, and the patches of a grid that it overlaps (pure).

The outline comes from the projection metadata of the item (`proj:transform` and
`proj:shape`, or `proj:bbox`), in the scene's own CRS; only where an item has none is its
footprint in degrees taken.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift.errors import SourceError
from terradrift.grid import Grid

_DEGREES = "EPSG:4326"
_FOOTPRINT = "OGC:CRS84"
"""Degrees as in GeoJSON, where what crosses the antimeridian is cut there or jumps."""
_SEGMENTS = 256
"""Pieces that an outline is cut into before it is warped: under 1 m off for 400 km."""
_BESIDE = 1.0
"""Degrees beyond its zone that an outline is still followed."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A polygon and the CRS it is drawn in; scenes of one tile and sensor share it."""

    crs: str
    wkb: bytes

    @property
    def shape(self) -> BaseGeometry:
        """The polygon."""
        return shapely.from_wkb(self.wkb)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rows and columns of patches in the CRS `epsg`, each (n,) int64."""

    epsg: int
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]


def outline(row: Mapping[str, Any]) -> Outline:
    """The outline of a row of `schema.scenes()`.

    Raises:
        SourceError: neither projection metadata nor a footprint.
    """
    item = json.loads(row["stac_item"]) if row["stac_item"] else {}
    if row["crs"]:
        for holder in (item.get("properties", {}), *_holders(item, row)):
            ring = _ring(holder)
            if ring is not None:
                return Outline(row["crs"], shapely.to_wkb(shapely.Polygon(ring)))
    if row["geometry"]:
        return Outline(_FOOTPRINT, bytes(row["geometry"]))
    raise SourceError(
        f"scene {row['scene_id']}: it is not known where it lies; expected proj:transform "
        "and proj:shape, or a geometry, in its item"
    )


def asset_metadata(item: Mapping[str, Any], href: str) -> dict[str, Any]:
    """What the item says of the asset at `href`, found by file name; empty if nothing."""
    wanted = _file_name(href)
    for asset in item.get("assets", {}).values():
        if _file_name(asset.get("href", "")) == wanted:
            return dict(asset)
    return {}


def _holders(
    item: Mapping[str, Any], row: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for asset in row["assets"] or ():
        yield asset_metadata(item, asset["href"])


def _file_name(href: str) -> str:
    return PurePosixPath(urlsplit(href).path).name


def _ring(holder: Mapping[str, Any]) -> list[tuple[float, float]] | None:
    """Corners of the raster that projection metadata describe, or None without any."""
    transform, shape = holder.get("proj:transform"), holder.get("proj:shape")
    if transform and shape:
        a, b, c, d, e, f = transform[:6]
        height, width = shape
        corners = ((0, 0), (width, 0), (width, height), (0, height))
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in corners]
    if holder.get("proj:bbox"):
        west, south, east, north = holder["proj:bbox"]
        return [(west, north), (east, north), (east, south), (west, south)]
    return None


def overlapped(place: Outline, grid: Grid) -> list[Cells]:
    """The patches of `grid` that `place` overlaps, per CRS of the grid; each patch once.

    Raises:
        ValueError: the outline reaches where UTM ends.
    """
    shape = place.shape
    fine = shapely.segmentize(shape, max(shape.length / _SEGMENTS, 1e-9))
    if grid.crs != "utm":
        zones = grid.zones(-180, -90, 180, 90)
        drawn = {epsg: _warp(fine, place.crs, f"EPSG:{epsg}") for epsg in zones}
    else:
        degrees = _continuous(_warp(fine, place.crs, _DEGREES), place.crs)
        west, south, east, north = degrees.bounds
        drawn = {
            epsg: _warp(_beside_zone(degrees, epsg), _DEGREES, f"EPSG:{epsg}")
            for epsg in grid.zones(_wrap(west), south, _wrap(east), north)
        }
    own = _epsg(place.crs)
    if own in drawn:
        drawn[own] = shape
    found = [_touched(polygon, epsg, grid) for epsg, polygon in drawn.items()]
    return [cells for cells in found if cells.rows.size]


def _touched(polygon: BaseGeometry, epsg: int, grid: Grid) -> Cells:
    """Patches of the zone `epsg` that share ground with `polygon` (in its metres)."""
    if polygon.is_empty:
        none = np.empty(0, np.int64)
        return Cells(epsg, none, none)
    left, bottom, right, top = polygon.bounds
    rows, cols = grid.cells(epsg, left, bottom, right, top)
    if not polygon.equals(shapely.box(left, bottom, right, top)):
        size = grid.patch_size
        eps = 1e-6 * size  # touching along an edge is not an overlap
        boxes = shapely.box(
            cols * size + eps,
            rows * size + eps,
            (cols + 1) * size - eps,
            (rows + 1) * size - eps,
        )
        shapely.prepare(polygon)
        inside = shapely.intersects(polygon, boxes)
        rows, cols = rows[inside], cols[inside]
    return Cells(epsg, rows, cols)


def _continuous(shape: BaseGeometry, crs: str) -> BaseGeometry:
    """Longitudes without a jump: what crosses the antimeridian goes on beyond 180."""
    west, _, east, _ = shape.bounds
    has_jump = crs == _FOOTPRINT or not _is_geographic(crs)
    if east - west <= 180 or not has_jump:
        return shape
    turn = np.array([360.0, 0.0])
    return shapely.transform(shape, lambda xy: np.where(xy[:, :1] < 0, xy + turn, xy))


def _beside_zone(degrees: BaseGeometry, epsg: int) -> BaseGeometry:
    """The part of an outline in or near a UTM zone; farther off the projection fails."""
    west = -180.0 + 6.0 * (epsg % 100 - 1)
    parts = [
        shapely.clip_by_rect(
            degrees,
            west - _BESIDE + turn,
            -90.0,
            west + 6.0 + _BESIDE + turn,
            90.0,
        )
        for turn in (-360.0, 0.0, 360.0)
    ]
    return shapely.union_all([part for part in parts if not part.is_empty])


def _wrap(longitude: float) -> float:
    """A longitude within -180..180; 180 itself stays."""
    return longitude if -180 <= longitude <= 180 else (longitude + 180) % 360 - 180


def _warp(shape: BaseGeometry, source: str, target: str) -> BaseGeometry:
    transformer = _transformer(source, target)
    return shapely.transform(
        shape,
        lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])),
    )


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=256)
def _epsg(crs: str) -> int | None:
    code = pyproj.CRS.from_user_input(crs).to_epsg()
    return None if code is None else int(code)


@lru_cache(maxsize=256)
def _is_geographic(crs: str) -> bool:
    return bool(pyproj.CRS.from_user_input(crs).is_geographic)
