"""STAC core: the schemas of 1.1.0 that pystac carries, and what they cannot say."""

import json
from datetime import datetime
from functools import cache
from typing import Any

import jsonschema
import numpy as np
from jsonschema.protocols import Validator

from terradrift.conform import by_schema
from terradrift.conform.finding import Findings, line, short
from terradrift.conform.geoparquet.geometry import on_earth, wider_than_half

VERSION = "1.1.0"
_KINDS = {"Feature": "item", "Collection": "collection", "Catalog": "catalog"}
OLDER = ("1.0.0", "1.0.1")
"""Versions that are checked by the schemas of `VERSION`, which hold them too."""
_PROCESSING = "https://stac-extensions.github.io/processing/"


@cache
def _validator(kind: str) -> Validator:
    from pystac.validation.local_validator import get_local_schema_cache
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    held = get_local_schema_cache()
    registry = Registry().with_resources(
        (name, Resource.from_contents(schema, default_specification=DRAFT7))
        for name, schema in held.items()
    )
    name = (
        f"https://schemas.stacspec.org/v{VERSION}/{kind}-spec/json-schema/{kind}.json"
    )
    return jsonschema.Draft7Validator(held[name], registry=registry)


def check(value: dict[str, Any], found: Findings, where: str) -> bool:
    """Whether the document is a STAC item, collection or catalogue at all."""
    kind = _KINDS.get(str(value.get("type")))
    if kind is None:
        found.error(
            "stac.type",
            f"{where}#type",
            "Feature, Collection or Catalog",
            short(value.get("type")),
            "say what the document is",
            f"STAC {VERSION}",
        )
        return False
    _version(value.get("stac_version"), found, where)
    spec = f"STAC {VERSION}, {kind.capitalize()}"
    held = {**value, "stac_version": VERSION}
    if kind == "item" and value.get("geometry") is not None and "bbox" not in value:
        found.error(
            "stac.bbox",
            where,
            "bbox, as there is a geometry",
            "none",
            "add bbox",
            f"{spec}, bbox",
        )
        held["bbox"] = [0, 0, 0, 0]
    fault = _fault(value.get("geometry")) if kind == "item" else None
    if fault is not None:
        found.error(
            "stac.geometry",
            f"{where}#geometry",
            "a GeoJSON geometry",
            fault,
            "write it anew",
            f"{spec}, geometry; RFC 7946, 3.1",
        )
        # The schema would tell the same of each kind of geometry that it might be.
        held["geometry"] = None
        held.pop("bbox", None)
    good = by_schema.against(_validator(kind), held, found, where, "stac", spec)
    good = good and fault is None
    if kind == "item" and good and "bbox" in value:
        _place(value, found, where)
    if kind == "item" and good:
        _span(value["properties"], found, where)
    used = value.get("properties", value) if kind == "item" else value
    if (
        isinstance(used, dict)
        and any(name.startswith("processing:") for name in used)
        and not any(
            str(one).startswith(_PROCESSING)
            for one in value.get("stac_extensions") or []
        )
    ):
        found.warning(
            "stac.stac_extensions",
            f"{where}#stac_extensions",
            "the Processing extension declared, as processing: fields are used",
            "none",
            f"add {_PROCESSING}v1.2.0/schema.json",
            f"STAC {VERSION}, stac_extensions",
        )
    return good


def _version(version: object, found: Findings, where: str) -> None:
    if version == VERSION or version in OLDER:
        return  # of older ones the walk tells once
    at = f"{where}#stac_version"
    found.error(
        "stac.stac_version",
        at,
        VERSION,
        short(version),
        "write it as STAC 1.1.0",
        f"STAC {VERSION}, stac_version",
    )


def _fault(geometry: object) -> str | None:
    """Why something is no GeoJSON geometry; None where it is one, or null."""
    import shapely

    if geometry is None:
        return None
    try:
        read = shapely.from_geojson(json.dumps(geometry))
    except (shapely.errors.ShapelyError, ValueError) as error:
        return line(error)
    return None if isinstance(geometry, dict) and read is not None else short(geometry)


def _place(item: dict[str, Any], found: Findings, where: str) -> None:
    """The box of an item and its geometry."""
    import shapely

    box, geometry = item.get("bbox"), item.get("geometry")
    if not box or not geometry:
        return
    half = len(box) // 2
    given = (box[0], box[1], box[half], box[half + 1])
    shape = shapely.from_geojson(json.dumps(geometry))
    real = shape.bounds
    wide = wider_than_half(np.array([shape]))
    if wide is not None:
        found.warning(
            "stac.antimeridian",
            f"{where}#geometry",
            "a geometry of at most 180 degrees of longitude",
            f"one of {wide:,.4f}",
            "if it lies across the antimeridian, cut it there",
            f"STAC {VERSION}, Item, geometry; RFC 7946, 3.1.9",
        )
    if given[0] > given[2]:
        return  # across the antimeridian
    far = max(abs(a - b) for a, b in zip(given, real, strict=True))
    if far > 1e-5:
        found.warning(
            "stac.bbox",
            f"{where}#bbox",
            f"the box of the geometry, {short([round(one, 6) for one in real])}",
            short(box),
            "compute bbox of the geometry",
            f"STAC {VERSION}, Item, bbox",
        )
    if not on_earth(real):
        found.error(
            "stac.geometry",
            f"{where}#geometry",
            "longitude and latitude in degrees, longitude first",
            short([round(one, 6) for one in real]),
            "reproject it, or put longitude first",
            f"STAC {VERSION}, Item, geometry",
        )
    elif not (real[0] >= -180 and real[2] <= 180):
        found.warning(
            "stac.antimeridian",
            f"{where}#geometry",
            "longitudes of -180 to 180",
            short([round(one, 6) for one in real]),
            "cut what lies across the antimeridian there",
            f"STAC {VERSION}, Item, geometry; RFC 7946, 3.1.9",
        )


def _span(properties: dict[str, Any], found: Findings, where: str) -> None:
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    try:
        late = bool(start and end) and _instant(str(start)) > _instant(str(end))
    except (ValueError, TypeError):
        late = True
    if late:
        found.error(
            "stac.datetime",
            f"{where}#properties.start_datetime",
            "an instant of RFC 3339, not after end_datetime",
            short([start, end]),
            "swap or mend them",
            f"STAC {VERSION}, Date and Time Range",
        )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
