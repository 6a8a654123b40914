"""Rows of Arrow to one GeoParquet 1.1 file, row group by row group."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.store.parquet import rows_per_group

GEOMETRY = "geometry"
"""The column of places: WKB in degrees, longitude first (OGC:CRS84)."""

_GROUP_ROWS_MAX = 1 << 16


def has_geometry(columns: pa.Schema) -> bool:
    """Whether there is a WKB column `geometry`."""
    at = columns.get_field_index(GEOMETRY)
    return at >= 0 and bool(pa.types.is_binary(columns.field(at).type))


def shapes(column: pa.ChunkedArray | pa.Array) -> NDArray[np.object_]:
    """Shapely geometries of WKB; null is None.

    Raises:
        QueryError: not WKB.
    """
    try:
        found = shapely.from_wkb(np.asarray(column.to_pylist(), dtype=object))
    except shapely.errors.GEOSException as error:
        raise QueryError(
            f"expected WKB in the column {GEOMETRY}, got bytes that are not: {error}; "
            "give the column another name"
        ) from error
    return np.asarray(found, dtype=object)


def write(rows: pa.RecordBatchReader, path: Path) -> None:
    """Write rows to `path`; with a `geometry`, as GeoParquet covered by `bbox`."""
    from pyarrow import parquet

    group_rows = min(_GROUP_ROWS_MAX, rows_per_group(rows.schema))
    box = _Box()
    plain = pa.schema([pa.field(f.name, f.type) for f in rows.schema])
    # Readers of Arrow's schema, which is written first, look for `geo` there.
    first = {"geo": json.dumps(_geo(box, covered=_covers(plain)))}
    begun = plain.with_metadata(first if has_geometry(plain) else None)
    with parquet.ParquetWriter(
        path, begun, compression="zstd", write_page_index=True
    ) as file:
        for table in _groups(rows, group_rows):
            box.add(table)
            file.write_table(table.cast(plain), row_group_size=group_rows)
        if has_geometry(plain):
            geo = _geo(box, covered=_covers(plain))
            file.add_key_value_metadata({"geo": json.dumps(geo)})


def _groups(rows: pa.RecordBatchReader, size: int) -> Iterator[pa.Table]:
    """Tables of `size` rows, and a rest where there is one."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in rows:
        held.append(batch)
        count += batch.num_rows
        while count >= size:
            table = pa.Table.from_batches(held)
            yield table.slice(0, size)
            held, count = table.slice(size).to_batches(), count - size
    if count:
        yield pa.Table.from_batches(held)


def _covers(columns: pa.Schema) -> bool:
    """Whether `bbox` is a struct of four sides."""
    at = columns.get_field_index("bbox")
    return at >= 0 and bool(columns.field(at).type == schema.BBOX)


class _Box:
    """The box around all geometries written."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])

    def add(self, table: pa.Table) -> None:
        if not has_geometry(table.schema) or table.num_rows == 0:
            return
        found = shapes(table[GEOMETRY])
        low_high = shapely.total_bounds(found)
        if np.isfinite(low_high).all():
            self.bounds[:2] = np.minimum(self.bounds[:2], low_high[:2])
            self.bounds[2:] = np.maximum(self.bounds[2:], low_high[2:])
        self.types |= {shape.geom_type for shape in found if shape is not None}


def _geo(box: _Box, *, covered: bool) -> dict[str, Any]:
    """GeoParquet 1.1 metadata; without a CRS it means OGC:CRS84."""
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(box.types)}
    if np.isfinite(box.bounds).all():
        column["bbox"] = box.bounds.tolist()
    if covered:
        sides = ("xmin", "ymin", "xmax", "ymax")
        column["covering"] = {"bbox": {side: ["bbox", side] for side in sides}}
    return {
        "version": "1.1.0",
        "primary_column": GEOMETRY,
        "columns": {GEOMETRY: column},
    }
