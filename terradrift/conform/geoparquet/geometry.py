"""Geometries themselves: WKB of the declared types, within the declared box and CRS."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from terradrift.conform.finding import Findings, line, short
from terradrift.conform.geoparquet.footer import SPEC

_NAMES = {
    0: "Point",
    1: "LineString",
    2: "LinearRing",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
}
_BYTES = 64 << 20
"""Of one geometry."""
_EWKB = 0xF0000000
_TURN = 360.0
"""Degrees. What lies across the antimeridian is drawn in one piece by some, beyond 180."""


@dataclass(slots=True)
class Seen:
    """What the geometries read so far are."""

    at: str
    column: dict[str, Any]
    degrees: bool
    types: set[str] = field(default_factory=set)
    low: NDArray[np.float64] = field(default_factory=lambda: np.full(2, np.inf))
    high: NDArray[np.float64] = field(default_factory=lambda: np.full(2, -np.inf))
    step: list[float] = field(default_factory=list)
    """Distances from one row to the next, in widths of the file's own box."""
    centres: list[NDArray[np.float64]] = field(default_factory=list)


def decoded(
    values: pa.Array, seen: Seen, found: Findings, first_row: int
) -> NDArray[np.object_] | None:
    """Shapely geometries of a batch; None where no further one can be read."""
    sizes = np.asarray(pc.fill_null(pc.binary_length(values), 0))
    if sizes.size and sizes.max() > _BYTES:
        found.error(
            "geoparquet.wkb",
            f"{seen.at} row {first_row + int(sizes.argmax()):,}",
            f"a geometry of at most {_BYTES >> 20} MiB",
            f"{int(sizes.max()):,} bytes",
            "simplify it",
        )
        return None
    raw = values.to_pylist()
    shapes = shapely.from_wkb(np.array(raw, dtype=object), on_invalid="ignore")
    bad = [i for i, one in enumerate(raw) if one is not None and shapes[i] is None]
    for i in bad:
        found.error(
            "geoparquet.wkb",
            f"{seen.at} row {first_row + i:,}",
            "well-known binary",
            _why(raw[i]),
            "write it with shapely.to_wkb(geometry, flavor='iso')",
            f"{SPEC}, encoding",
        )
    _codes(raw, seen, found, first_row)
    return np.asarray(shapes, dtype=object)


def _why(one: bytes) -> str:
    try:
        shapely.from_wkb(one)
    except (shapely.errors.GEOSException, ValueError, TypeError) as error:
        return line(error)
    return f"{len(one)} bytes that are none"


def _codes(
    raw: list[bytes | None], seen: Seen, found: Findings, first_row: int
) -> None:
    """Codes of types outside ISO WKB: an EWKB flag (SRID, Z), M values, curves."""
    for i, one in enumerate(raw):
        if one is None or len(one) < 5 or one[0] not in (0, 1):
            continue
        (code,) = struct.unpack("<I" if one[0] else ">I", one[1:5])
        at = f"{seen.at} row {first_row + i:,}"
        if code & _EWKB:
            found.error(
                "geoparquet.ewkb",
                at,
                "ISO WKB (types 1 to 7 and 1001 to 1007)",
                f"PostGIS's EWKB, type {code:#x}",
                "write it with shapely.to_wkb(geometry, flavor='iso', include_srid=False)",
                f"{SPEC}, encoding",
            )
        elif code % 1000 not in range(1, 8) or code // 1000 not in (0, 1):
            found.error(
                "geoparquet.wkb",
                at,
                "2D or 3D points, lines, polygons and collections of them",
                f"WKB of type {code}",
                "drop M values and replace curves by lines",
                f"{SPEC}, encoding",
            )


def judge(shapes: NDArray[np.object_], seen: Seen, found: Findings, row: int) -> None:
    """Types, rings and extent of a batch."""
    given = shapely.is_geometry(shapes)
    real = shapes[given]
    if not real.size:
        return
    kinds = shapely.get_type_id(real)
    deep = shapely.has_z(real)
    for kind, z in {(int(k), bool(d)) for k, d in zip(kinds, deep, strict=True)}:
        seen.types.add(_NAMES[kind] + (" Z" if z else ""))
    if seen.column.get("orientation") == "counterclockwise":
        parts = shapely.get_parts(real)
        areas = (shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)
        _rings(parts[areas], seen, found, row)
    if seen.degrees:
        _wide(real, seen, found, row)
    bounds = shapely.bounds(real)
    finite = np.isfinite(bounds).all(axis=1)
    if not finite.all() and bool((~shapely.is_empty(real[~finite])).any()):
        found.error(
            "geoparquet.coordinates",
            f"{seen.at} rows from {row:,}",
            "finite coordinates",
            "NaN or infinity",
            "leave such geometries out, as null",
        )
    if finite.any():
        seen.low = np.minimum(seen.low, bounds[finite, :2].min(axis=0))
        seen.high = np.maximum(seen.high, bounds[finite, 2:].max(axis=0))
        seen.centres.append((bounds[finite, :2] + bounds[finite, 2:]) / 2)


def _wide(real: NDArray[np.object_], seen: Seen, found: Findings, row: int) -> None:
    """Parts that go more than half around the world, as squares on the antimeridian do."""
    wide = wider_than_half(real)
    if wide is not None:
        found.warning(
            "geoparquet.antimeridian",
            f"{seen.at} rows from {row:,}",
            "geometries of at most 180 degrees of longitude",
            f"one of {wide:,.4f}",
            "if it lies across the antimeridian, cut it there (RFC 7946, 3.1.9); readers "
            "draw it around the world",
            f"{SPEC}, bbox",
        )


def wider_than_half(shapes: NDArray[np.object_]) -> float | None:
    """Degrees of the widest part of geometries in degrees, where over 180; None: of none.

    What goes from -180 to 180 in full is of the whole world, and is passed.
    """
    bounds = shapely.bounds(shapely.get_parts(shapely.get_parts(shapes)))
    west, east = bounds[:, 0], bounds[:, 2]
    wide = (east - west)[~((west == -180) & (east == 180))]
    most = float(np.max(wide, initial=0.0, where=np.isfinite(wide)))
    return most if most > 180 else None


def _rings(
    polygons: NDArray[np.object_], seen: Seen, found: Findings, row: int
) -> None:
    if not polygons.size:
        return
    outer = shapely.is_ccw(shapely.get_exterior_ring(polygons))
    every = shapely.is_ccw(shapely.get_rings(polygons))
    counted = int(every.sum()) - int(outer.sum())
    if not outer.all() or counted > 0:
        which = "outer rings clockwise" if not outer.all() else "holes counterclockwise"
        found.error(
            "geoparquet.orientation",
            f"{seen.at} rows from {row:,}",
            "outer rings counterclockwise and holes clockwise, as orientation says",
            which,
            "orient them (shapely.orient_polygons) or leave orientation out",
            f"{SPEC}, orientation",
        )


def on_earth(box: Sequence[float]) -> bool:
    """Whether west, south, east, north can be degrees with longitude first."""
    return box[1] >= -90 and box[3] <= 90 and max(-box[0], box[2]) <= _TURN


def conclude(seen: Seen, found: Findings, *, every: bool) -> None:
    """Types and box of all that was read against what the footer says."""
    _types(seen, found, every=every)
    if not np.isfinite(seen.low).all():
        return
    real = [*seen.low.tolist(), *seen.high.tolist()]
    if seen.degrees and not on_earth(real):
        missing = "crs" not in seen.column
        found.error(
            "geoparquet.range",
            seen.at,
            "longitudes of -180 to 180 and latitudes of -90 to 90"
            + (" (no crs means OGC:CRS84)" if missing else ""),
            short([round(one, 6) for one in real]),
            "name the CRS in crs" if missing else "put x before y, or mend crs",
            f"{SPEC}, {'crs' if missing else 'Coordinate axis order'}",
        )
    elif seen.degrees and not (real[0] >= -180 and real[2] <= 180):
        found.warning(
            "geoparquet.antimeridian",
            seen.at,
            "longitudes of -180 to 180",
            short([round(one, 6) for one in real]),
            "cut what lies across the antimeridian there (RFC 7946, 3.1.9), if readers "
            "lose it",
            f"{SPEC}, crs",
        )
    _box(seen, real, found, every=every)


def _types(seen: Seen, found: Findings, *, every: bool) -> None:
    declared = set(seen.column["geometry_types"])
    extra = seen.types - declared
    if declared and extra:
        found.error(
            "geoparquet.geometry_types",
            seen.at,
            f"only {', '.join(sorted(declared))}, as geometry_types says",
            ", ".join(sorted(seen.types)),
            "list every type, or none",
            f"{SPEC}, geometry_types",
        )
    elif every and declared - seen.types and seen.types:
        found.warning(
            "geoparquet.geometry_types",
            seen.at,
            f"geometries of type {', '.join(sorted(declared))}",
            f"{', '.join(sorted(seen.types))} only",
            "list the types that there are",
            f"{SPEC}, geometry_types",
        )


def _box(seen: Seen, real: list[float], found: Findings, *, every: bool) -> None:
    box = seen.column.get("bbox")
    if box is None:
        return
    half = len(box) // 2
    west, south, east, north = box[0], box[1], box[half], box[half + 1]
    at = f"{seen.at.partition('#')[0]}#geo.columns.bbox"
    crosses = seen.degrees and west > east
    inside = real[1] >= south and real[3] <= north
    if not crosses:
        inside = inside and real[0] >= west and real[2] <= east
    if not inside:
        found.error(
            "geoparquet.bbox",
            at,
            f"a box around all geometries, {short([round(one, 7) for one in real])}",
            short(box),
            "compute bbox of the geometries when the file is written",
            f"{SPEC}, bbox",
        )
    elif every and not crosses:
        wide = max(east - west, north - south)
        real_wide = max(real[2] - real[0], real[3] - real[1])
        if wide > 2 * real_wide + 1e-6 * max(1.0, wide):
            found.warning(
                "geoparquet.bbox",
                at,
                f"the box of the geometries, {short([round(one, 7) for one in real])}",
                short(box),
                "compute bbox of the geometries; readers open this file in vain",
                f"{SPEC}, bbox",
            )
