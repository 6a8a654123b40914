"""Alerts as GeoJSON (RFC 7946), for maps and message queues."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from shapely import affinity

from terradrift.errors import ArchiveError

_DECIMALS = 7  # of a degree: a centimetre
_WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)


def geojson(table: pa.Table) -> Iterator[str]:
    """Alerts as a FeatureCollection (RFC 7946), in pieces of text."""
    yield '{"type": "FeatureCollection", "features": ['
    between = "\n"
    for batch in table.to_batches(max_chunksize=1024):
        for record in batch.to_pylist():
            yield between + json.dumps(_feature(record))
            between = ",\n"
    yield "\n]}\n"


def _feature(record: dict[str, Any]) -> dict[str, Any]:
    shape = _cut(shapely.from_wkb(record.pop("geometry")))
    record.pop("bbox")
    identity = record["alert_id"]
    return {
        "type": "Feature",
        "id": identity,
        "geometry": json.loads(shapely.to_geojson(shape)),
        "properties": {
            name: round(value, _DECIMALS)
            if name in ("longitude", "latitude")
            else _plain(value)
            for name, value in record.items()
        },
    }


def _cut(shape: shapely.Geometry) -> shapely.Geometry:
    """The shape with rings as RFC 7946 has them: anticlockwise, cut at the antimeridian."""
    west, _, east, _ = shapely.bounds(shape)
    if west < -180.0 or east > 180.0:
        turned = [affinity.translate(shape, by) for by in (-360.0, 0.0, 360.0)]
        parts = shapely.intersection(np.array(turned), _WORLD)
        shape = shapely.multipolygons([one for one in parts if shapely.area(one) > 0])
    rounded = shapely.transform(shape, lambda at: np.round(at, _DECIMALS))
    return shapely.orient_polygons(rounded)


def _plain(value: object) -> object:
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value


def write(table: pa.Table, path: Path) -> None:
    """Write alerts to a file, whole or not at all.

    Raises:
        ArchiveError: the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with unfinished.open("w") as file:
                file.writelines(geojson(table))
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise ArchiveError(
            f"cannot write {path}: {error.strerror or error}; the alerts are in the archive"
        ) from error
