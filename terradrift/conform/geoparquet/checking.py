"""One GeoParquet file: footer, geometries, covering, `emb`, and hints."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from pyarrow import parquet

from terradrift.conform import emb
from terradrift.conform.finding import Findings, line, named
from terradrift.conform.geoparquet import covering, footer, geometry, hints, rows
from terradrift.conform.geoparquet.file import opened

ROWS = 200_000
"""Geometries of one file that are read; of more, row groups spread over the file."""


def check(path: Path, found: Findings, where: str, budget: int = ROWS) -> None:
    """Every finding of one file."""
    file = opened(path, found, where)
    if file is None:
        return
    with file:
        try:
            held = file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            found.error(
                "parquet", where, "a schema Arrow reads", line(error), "write it again"
            )
            return
        hints.layout(file, found, where)
        hints.vectors(held, found, where)
        emb.check(file, found, where)
        geo = footer.geo(file, found, where)
        if geo is None:
            return
        for name, column in geo["columns"].items():
            if held.get_field_index(name) >= 0:
                _column(file, name, column, geo, found, where, budget)


def _column(  # noqa: PLR0917 - the file, its column, and how it is told
    file: parquet.ParquetFile,
    name: str,
    column: dict[str, Any],
    geo: dict[str, Any],
    found: Findings,
    where: str,
    budget: int,
) -> None:
    box = covering.column(file, name, geo, found, where)
    at = f"{where}#{named(name)}"
    kind = file.schema_arrow.field(name).type
    kind = getattr(kind, "storage_type", kind)
    if column["encoding"] != "WKB":
        found.note(
            "geoparquet.encoding",
            at,
            f"encoded as {column['encoding']}: coordinates were not checked",
        )
        return
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        return
    wanted = [name] if box is None else [name, box]
    take = rows.chosen(file, wanted, budget)
    if take.heavy:
        found.error(
            "parquet.size",
            where,
            f"at most {rows.COLUMN_BYTES >> 20} MiB of geometries in a row group",
            f"more in {len(take.heavy):,} row groups, which were not read",
            "write smaller row groups",
        )
    seen = geometry.Seen(at, column, footer.degrees(column))
    try:
        for group in take.groups:
            _group(file, group, wanted, seen, found)
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        MemoryError,
        shapely.errors.ShapelyError,
    ) as error:
        found.error(
            "parquet.pages",
            where,
            "rows that can be read",
            line(error),
            "copy or write the file again; it is damaged",
        )
        return
    geometry.conclude(seen, found, every=take.rows == take.of)
    hints.order(seen.centres, found, where)
    if take.rows < take.of:
        found.note("geoparquet.sampled", at, f"checked {take}")


def _group(
    file: parquet.ParquetFile,
    group: int,
    wanted: list[str],
    seen: geometry.Seen,
    found: Findings,
) -> None:
    row = sum(file.metadata.row_group(i).num_rows for i in range(group))
    for batch in rows.batches(file, group, wanted):
        values = batch.column(wanted[0])
        values = getattr(values, "storage", values)
        shapes = geometry.decoded(values, seen, found, row)
        if shapes is None:
            return
        geometry.judge(shapes, seen, found, row)
        if len(wanted) == 2:
            unread = np.asarray(values.is_valid()) & ~shapely.is_geometry(shapes)
            if not unread.any():
                at = f"{seen.at.partition('#')[0]}#{named(wanted[1])}"
                covering.judge(batch.column(wanted[1]), shapes, at, row, found)
        row += batch.num_rows
