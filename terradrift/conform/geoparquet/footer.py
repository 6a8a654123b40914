"""The `geo` footer against GeoParquet 1.1 and against the columns it speaks of."""

import re
from typing import Any

import pyarrow as pa
import pyproj
from pyarrow import parquet

from terradrift.conform import by_schema
from terradrift.conform.finding import Findings, line, named, short
from terradrift.conform.plain import parsed

SPEC = "GeoParquet 1.1"
VERSION = "1.1.0"


def geo(
    file: parquet.ParquetFile, found: Findings, where: str
) -> dict[str, Any] | None:
    """The footer where geometries can be read by it; findings otherwise."""
    raw = (file.metadata.metadata or {}).get(b"geo")
    if raw is None:
        native = [
            one.name
            for one in (file.schema.column(i) for i in range(len(file.schema)))
            if re.match("geo(metry|graphy)", str(one.logical_type), re.IGNORECASE)
        ]
        what = (
            f"none, but Parquet's own type of {named(native[0])}" if native else "none"
        )
        found.error(
            "geoparquet.geo",
            where,
            "a footer key geo",
            what,
            "write it with a GeoParquet writer, version 1.1",
            f"{SPEC}, Metadata",
        )
        return None
    value = parsed(raw, found, f"{where}#geo")
    if value is None:
        return None
    schema = by_schema.schema("geoparquet")
    whole = by_schema.against(schema, value, found, f"{where}#geo", "geoparquet", SPEC)
    if isinstance(value, dict):
        _version(value.get("version"), found, where)
    if not whole:
        return None
    _columns(value, file, found, where)
    for name, column in value["columns"].items():
        at = f"{where}#geo.columns.{named(name)}"
        _crs(column, found, at)
        _edges(column, found, at)
    return dict(value)


def _version(version: object, found: Findings, where: str) -> None:
    if version == VERSION or not isinstance(version, str):
        return
    at = f"{where}#geo.version"
    fix = f"write it as {VERSION}"
    clause = f"{SPEC}, Version Compatibility"
    if re.fullmatch(r"1\.\d+\.\d+([-+].*)?", version):
        found.warning("geoparquet.version", at, VERSION, short(version), fix, clause)
    else:
        found.error("geoparquet.version", at, VERSION, short(version), fix, clause)


def _columns(
    geo: dict[str, Any], file: parquet.ParquetFile, found: Findings, where: str
) -> None:
    if geo["primary_column"] not in geo["columns"]:
        found.error(
            "geoparquet.primary_column",
            f"{where}#geo.primary_column",
            f"one of {', '.join(map(named, list(geo['columns'])[:8]))}",
            short(geo["primary_column"]),
            "name a column that columns describes",
            f"{SPEC}, File metadata",
        )
    held = file.schema_arrow
    for name, column in geo["columns"].items():
        at = f"{where}#{named(name)}"
        if held.get_field_index(name) < 0:
            nested = any(
                part.split(".")[-1] == name and "." in part
                for part in (
                    file.schema.column(i).path for i in range(len(file.schema))
                )
            )
            found.error(
                "geoparquet.column",
                at,
                "a column of that name at the root",
                "it within another" if nested else "none, or two",
                "name in columns what the file holds",
                f"{SPEC}, {'Nesting' if nested else 'File metadata'}",
            )
            continue
        _stored(held.field(name).type, column["encoding"], found, at)


def _stored(kind: pa.DataType, encoding: str, found: Findings, at: str) -> None:
    """Whether the column's type is the one of its encoding."""
    kind = getattr(kind, "storage_type", kind)
    if encoding == "WKB":
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return
        found.error(
            "geoparquet.type",
            at,
            "bytes (BYTE_ARRAY), as WKB is stored",
            named(str(kind)),
            "store WKB as plain bytes, not repeated, fixed in size, or text",
            f"{SPEC}, encoding; Repetition",
        )
        return
    deep = {"point": 0, "linestring": 1, "multipoint": 1, "polygon": 2}
    deep |= {"multilinestring": 2, "multipolygon": 3}
    inner, levels = kind, 0
    while pa.types.is_list(inner) or pa.types.is_large_list(inner):
        inner, levels = inner.value_type, levels + 1
    names = [one.name for one in inner] if pa.types.is_struct(inner) else []
    doubles = bool(names) and all(one.type == pa.float64() for one in inner)
    if levels != deep[encoding] or names[:2] != ["x", "y"] or not doubles:
        found.error(
            "geoparquet.type",
            at,
            f"{deep[encoding]} lists of a struct of doubles x, y",
            named(str(kind)),
            "write it as WKB, which every reader knows",
            f"{SPEC}, Native encodings",
        )


def _crs(column: dict[str, Any], found: Findings, at: str) -> None:
    if "crs" not in column:
        return
    if column["crs"] is None:
        found.warning(
            "geoparquet.crs",
            f"{at}.crs",
            "a CRS, or no field crs, which means OGC:CRS84",
            "null, which means not known",
            "say which CRS it is; no tool can place it otherwise",
            f"{SPEC}, crs",
        )
        return
    try:
        pyproj.CRS.from_json_dict(column["crs"])
    except (pyproj.exceptions.ProjError, ValueError, TypeError) as error:
        found.error(
            "geoparquet.crs",
            f"{at}.crs",
            "PROJJSON that PROJ reads",
            line(error),
            "write crs.to_json_dict() of pyproj, or leave crs out for longitude/latitude",
            f"{SPEC}, crs",
        )


def _edges(column: dict[str, Any], found: Findings, at: str) -> None:
    if column.get("edges") == "spherical" and "orientation" not in column:
        found.warning(
            "geoparquet.edges",
            f"{at}.edges",
            "orientation counterclockwise beside spherical edges",
            "no orientation",
            "orient the rings and say so",
            f"{SPEC}, edges",
        )


def degrees(column: dict[str, Any]) -> bool:
    """Whether coordinates are longitude and latitude."""
    if "crs" not in column:
        return True
    if column["crs"] is None:
        return False
    try:
        return bool(pyproj.CRS.from_json_dict(column["crs"]).is_geographic)
    except (pyproj.exceptions.ProjError, ValueError, TypeError):
        return False
