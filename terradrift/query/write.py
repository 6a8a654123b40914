"""Rows of Arrow to frames and files: GeoParquet, CSV, JSON, GeoPackage.

`geometry` is WKB in degrees throughout (OGC:CRS84).
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import shapely

from terradrift.errors import QueryError
from terradrift.query import geoparquet
from terradrift.query.geoparquet import GEOMETRY, has_geometry, shapes

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from terradrift.query.relation import Relation

Rows: TypeAlias = "pa.Table | pa.RecordBatchReader | Relation"

_BATCH_ROWS = 10_000


def write(rows: Rows, path: str | Path) -> int:
    """Write rows to a file whose ending says how; returns how many there were.

    The file is there whole, or not at all.

    * `.parquet`: GeoParquet 1.1 where there is a `geometry` (its box covered by `bbox`),
      zstd, small row groups; plain Parquet otherwise.
    * `.csv`: geometry as WKT, `bbox` as four columns, no vectors.
    * `.jsonl`: one object per line, geometry as GeoJSON; `.json`: the same in one list.
    * `.gpkg`, `.fgb`, `.geojson`: for GIS, without vectors.

    Raises:
        QueryError: another ending, or it cannot be written.
    """
    target = Path(path)
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise QueryError(
            f"expected a file ending in {', '.join(_WRITERS)}, got {target.name}"
        )
    try:
        with TemporaryDirectory(prefix=".part-", dir=target.parent) as folder:
            part = Path(folder) / target.name
            counted = _Counted(reader(rows))
            writer(counted.stream, part)
            part.replace(target)
    except OSError as error:
        raise QueryError(
            f"cannot write {target}: {error.strerror or error}; check folder and space"
        ) from error
    return counted.rows


class _Counted:
    """A stream that knows how many rows went by."""

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self.rows = 0
        self.stream = pa.RecordBatchReader.from_batches(rows.schema, self._pass(rows))

    def _pass(self, rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in rows:
            self.rows += batch.num_rows
            yield batch


def reader(rows: Rows) -> pa.RecordBatchReader:
    """Rows as a stream of batches.

    Raises:
        QueryError: SQL that fails while it runs.
    """
    if isinstance(rows, pa.RecordBatchReader):
        return rows
    if isinstance(rows, pa.Table):
        return rows.to_reader(max_chunksize=_BATCH_ROWS)
    return rows.reader(_BATCH_ROWS)


def to_arrow(rows: Rows) -> pa.Table:
    """Rows as one Arrow table."""
    return reader(rows).read_all()


def to_geopandas(rows: Rows) -> "gpd.GeoDataFrame":
    """Rows as a GeoPandas table in OGC:CRS84.

    Raises:
        QueryError: there is no column `geometry`.
    """
    import geopandas as gpd

    table = to_arrow(rows)
    if not has_geometry(table.schema):
        raise QueryError(
            f"expected a WKB column {GEOMETRY}, got {', '.join(table.schema.names)}; "
            "select it, or use df()"
        )
    frame = table.drop_columns([GEOMETRY]).to_pandas()
    return gpd.GeoDataFrame(frame, geometry=shapes(table[GEOMETRY]), crs="OGC:CRS84")


def json_lines(rows: Rows) -> Iterator[str]:
    """Each row as one JSON object: geometry as GeoJSON, instants as in STAC, NaN as null."""
    for batch in reader(rows):
        for row in batch.to_pylist():
            yield json.dumps({name: _plain(name, row[name]) for name in row})


def shown(rows: Rows) -> "pd.DataFrame":
    """Rows as people read them: no vectors, geometry as WKT, `bbox` as four columns."""
    frame: pd.DataFrame = _readable(to_arrow(rows)).to_pandas()
    return frame


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """`value` of the column `name` as JSON has it."""
    if isinstance(value, Mapping):
        return {key: _plain(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(name, part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | None):
        return value
    return _worded(name, value)


def _worded(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """What JSON has no type for."""
    if isinstance(value, bytes) and name == GEOMETRY:
        return json.loads(shapely.to_geojson(shapely.from_wkb(value)))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def _readable(table: pa.Table) -> pa.Table:
    """Columns that a flat file can hold."""
    columns: dict[str, pa.ChunkedArray] = {}
    for field in table.schema:
        column = table[field.name]
        if field.name == GEOMETRY and pa.types.is_binary(field.type):
            text = shapely.to_wkt(shapes(column), rounding_precision=7)
            columns[field.name] = pa.array(text, pa.string())
        elif pa.types.is_struct(field.type):
            for part in field.type:
                columns[f"{field.name}_{part.name}"] = pa.chunked_array(
                    [chunk.field(part.name) for chunk in column.chunks], part.type
                )
        elif not pa.types.is_nested(field.type):
            columns[field.name] = column
    return pa.table(columns)


def csv_to(rows: Rows, file: Path | IO[bytes]) -> None:
    """Write rows as CSV to a path or an open file: geometry as WKT, no vectors."""
    from pyarrow import csv

    stream = reader(rows)
    first = _readable(stream.schema.empty_table())
    with csv.CSVWriter(file, first.schema) as written:
        for batch in stream:
            table = _readable(pa.Table.from_batches([batch]))
            written.write_table(table.cast(first.schema))


def _write_lines(rows: pa.RecordBatchReader, path: Path) -> None:
    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in json_lines(rows))


def _write_list(rows: pa.RecordBatchReader, path: Path) -> None:
    with path.open("w") as file:
        json_to(rows, file)


def json_to(rows: Rows, file: IO[str]) -> None:
    """Write rows as one JSON list to an open file, one object per line."""
    file.write("[")
    for at, line in enumerate(json_lines(rows)):
        file.write(f",\n{line}" if at else line)
    file.write("]\n")


def _write_gis(rows: pa.RecordBatchReader, path: Path) -> None:
    table = rows.read_all()
    keep = [
        field.name
        for field in table.schema
        if field.name == GEOMETRY or not pa.types.is_nested(field.type)
    ]
    layer = re.sub(r"\W+", "_", path.stem)
    # GDAL's drivers know this longitude, latitude system by its EPSG name.
    frame = to_geopandas(table.select(keep)).set_crs("EPSG:4326", allow_override=True)
    frame.to_file(path, engine="pyogrio", layer=layer)


_WRITERS: Mapping[str, Callable[[pa.RecordBatchReader, Path], None]] = {
    ".parquet": geoparquet.write,
    ".csv": csv_to,
    ".jsonl": _write_lines,
    ".json": _write_list,
    ".gpkg": _write_gis,
    ".fgb": _write_gis,
    ".geojson": _write_gis,
}
