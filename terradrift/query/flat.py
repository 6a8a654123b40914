"""Rows in the columns that text has: no vectors, nested values as JSON, places as WKT."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import shapely

from terradrift import schema
from terradrift.query.geoparquet import GEOMETRY, shapes

_WKB = b"geoarrow.wkb"
"""What DuckDB says of a GEOMETRY handed over."""
_DIGITS = 7
"""Of degrees: about a centimetre."""


def is_place(field: pa.Field) -> bool:
    """Whether the column holds WKB: `geometry`, or what DuckDB says is GEOMETRY."""
    if not _is_binary(field.type):
        return False
    said = (field.metadata or {}).get(b"ARROW:extension:name")
    return bool(field.name == GEOMETRY or said == _WKB)


def left_out(columns: pa.Schema) -> list[str]:
    """The vectors among them, which text does not show, as words."""
    return [
        f"{field.name} (vector of {field.type.list_size})"
        for field in columns
        if pa.types.is_fixed_size_list(field.type)
    ]


def flat(table: pa.Table) -> pa.Table:
    """Columns that a flat file can hold: numbers, texts, instants.

    Places are WKT, `bbox` is four columns, lists, maps and structs are JSON, bytes are hex,
    and vectors are left out.
    """
    names: list[str] = []
    columns: list[pa.ChunkedArray | pa.Array] = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_fixed_size_list(field.type):
            continue
        if field.type == schema.BBOX:
            for part in field.type:
                names.append(f"{field.name}_{part.name}")
                chunks = [chunk.field(part.name) for chunk in column.chunks]
                columns.append(pa.chunked_array(chunks, part.type))
            continue
        names.append(field.name)
        columns.append(_texts(field, column))
    return pa.table(columns, names=names)


def _texts(field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """The column, as text where a flat file cannot hold it."""
    if is_place(field):
        text = shapely.to_wkt(shapes(column), rounding_precision=_DIGITS)
        return pa.array(text, pa.string())
    if pa.types.is_nested(field.type):
        values = column.to_pylist(maps_as_pydicts="lossy")  # DuckDB's keys are unique
        said = [None if one is None else json.dumps(plain(one)) for one in values]
        return pa.array(said, pa.string())
    if _is_binary(field.type):
        said = [None if one is None else one.hex() for one in column.to_pylist()]
        return pa.array(said, pa.string())
    if pa.types.is_dictionary(field.type):
        return column.cast(field.type.value_type)
    return column


def records(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Each row as JSON has it: places as GeoJSON, instants as in STAC, NaN as null."""
    places = {field.name for field in batch.schema if is_place(field)}
    for row in batch.to_pylist(maps_as_pydicts="lossy"):
        yield {
            name: _geojson(value) if name in places else plain(value)
            for name, value in row.items()
        }


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """`value` as JSON has it; what it has no type for is text, bytes are hex.

    Of a struct `geometry` is a place too.
    """
    if isinstance(value, Mapping):
        return {
            str(plain(key)): _geojson(part)
            if key == GEOMETRY and isinstance(part, bytes)
            else plain(part)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | None):
        return value
    return _worded(value)


def _geojson(wkb: bytes | None) -> Any:  # noqa: ANN401 - a JSON tree
    return (
        None if wkb is None else json.loads(shapely.to_geojson(shapely.from_wkb(wkb)))
    )


def _worded(value: Any) -> str | int:  # noqa: ANN401 - whatever a column holds
    """What JSON has no type for; whole numbers of any size it has."""
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        return int(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime | date | time):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
