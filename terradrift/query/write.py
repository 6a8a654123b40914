"""Rows of Arrow to frames and files: GeoParquet, CSV, JSON, GeoPackage.

`geometry` is WKB in degrees throughout (OGC:CRS84).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import pyarrow as pa

from terradrift.errors import QueryError, TerradriftError
from terradrift.query import flat, geoparquet, gis
from terradrift.query.geoparquet import GEOMETRY, has_geometry, shapes
from terradrift.store.out import part

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import polars as pl

    from terradrift.query.relation import Relation

Rows: TypeAlias = "pa.Table | pa.RecordBatchReader | Relation"

_BATCH_ROWS = 10_000
_SAID = 200
"""Characters that are repeated of what a library says."""


def write(rows: Rows, path: str | Path) -> int:
    """Write rows to a file whose ending says how; returns how many there were.

    The file is there whole, or not at all.

    * `.parquet`: GeoParquet 1.1 where there is a `geometry` (its box covered by `bbox`),
      zstd, small row groups; plain Parquet otherwise.
    * `.csv`: geometry as WKT, `bbox` as four columns, nested values as JSON, no vectors.
    * `.jsonl`: one object per line, geometry as GeoJSON; `.json`: the same in one list.
    * `.gpkg`, `.fgb`, `.geojson`: for GIS, nested values as JSON, no vectors and no `bbox`.

    A `Relation` says in its `note` which vectors were left out.

    Raises:
        QueryError: another ending, or it cannot be written.
    """
    target = Path(path)
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise QueryError(
            f"expected a file ending in {', '.join(_WRITERS)}, got {target.name}"
        )
    counted = _Counted(reader(rows))
    _whole(target, lambda made: writer(counted.stream, made))
    if target.suffix.lower() in _WITHOUT_VECTORS:
        tell_left_out(rows, counted.stream.schema)
    return counted.rows


def write_layers(layers: Sequence[gis.Layer], path: Path) -> int:
    """Write layers to the files of `files_of`, each whole or not at all; returns the rows.

    Raises:
        QueryError: it cannot be written.
    """
    counted = [_Counted(layer.rows) for layer in layers]
    passing = [
        replace(layer, rows=one.stream)
        for layer, one in zip(layers, counted, strict=True)
    ]
    _whole(path, lambda made: gis.write(passing, made))
    qml = next(iter(layers[0].styles.values()), "")
    for beside in files_of(layers, path)[1:]:
        _whole(beside, lambda made: made.write_text(qml, encoding="utf-8"))
    return sum(one.rows for one in counted)


def files_of(layers: Sequence[gis.Layer], path: Path) -> list[Path]:
    """What layers are written to: `path`, and the .qml beside a form that keeps no styles."""
    if path.suffix.lower() == ".gpkg" or not layers[0].styles:
        return [path]
    return [path, path.with_suffix(".qml")]


def _whole(target: Path, fill: Callable[[Path], object]) -> None:
    """Have `fill` write the file, there whole or not at all.

    Raises:
        QueryError: it cannot be written.
    """
    try:
        with part.whole(target) as made, one_line(f"write {target.name}"):
            fill(made)
    except OSError as error:
        raise QueryError(
            f"cannot write {target}: {error.strerror or error}; check folder and space"
        ) from error


def tell_left_out(rows: Rows, columns: pa.Schema) -> None:
    """Let a relation's note say which vectors text does not hold."""
    left = flat.left_out(columns)
    tell = getattr(rows, "tell", None)  # tables have no note
    if left and tell is not None:
        tell(f"left out: {', '.join(left)}; use .parquet or .jsonl")


@contextmanager
def one_line(doing: str) -> Iterator[None]:
    """Say in one line what a library does of values that a form cannot hold.

    Raises:
        QueryError: it cannot.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError, RuntimeError, pa.ArrowException) as e:
        if isinstance(e, TerradriftError):
            raise
        words = " ".join(str(e).split())[:_SAID]
        raise QueryError(
            f"cannot {doing}: {words}; cast the column, for instance to VARCHAR"
        ) from e


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


def to_polars(rows: Rows) -> "pl.DataFrame":
    """Rows as a Polars table.

    Raises:
        QueryError: Polars is not installed.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise QueryError(
            "Polars is not installed; run pip install polars, or use df()"
        ) from error
    return pl.DataFrame(to_arrow(rows))


def to_geopandas(rows: Rows) -> "gpd.GeoDataFrame":
    """Rows as a GeoPandas table in OGC:CRS84.

    Raises:
        QueryError: there is no column `geometry`.
    """
    import geopandas as gpd

    table = to_arrow(rows)
    if not has_geometry(table.schema):
        raise gis.no_geometry(table.schema)
    frame = table.drop_columns([GEOMETRY]).to_pandas()
    return gpd.GeoDataFrame(frame, geometry=shapes(table[GEOMETRY]), crs="OGC:CRS84")


def json_lines(rows: Rows) -> Iterator[str]:
    """Each row as one JSON object: geometry as GeoJSON, instants as in STAC, NaN as null."""
    for batch in reader(rows):
        for record in flat.records(batch):
            yield json.dumps(record)


def shown(rows: Rows) -> "pd.DataFrame":
    """Rows as people read them: no vectors, geometry as WKT, `bbox` as four columns."""
    table = flat.flat(to_arrow(rows))
    with one_line("show this"):
        frame: pd.DataFrame = table.to_pandas()
    return frame


def csv_to(rows: Rows, file: Path | IO[bytes]) -> None:
    """Write rows as CSV to a path or an open file: as `flat.flat`."""
    from pyarrow import csv

    stream = reader(rows)
    first = flat.flat(stream.schema.empty_table())
    with csv.CSVWriter(file, first.schema) as written:
        for batch in stream:
            table = flat.flat(pa.Table.from_batches([batch]))
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
    gis.write([gis.Layer(path.stem, rows)], path)


_WITHOUT_VECTORS = (".csv", ".gpkg", ".fgb", ".geojson")
_WRITERS: Mapping[str, Callable[[pa.RecordBatchReader, Path], None]] = {
    ".parquet": geoparquet.write,
    ".csv": csv_to,
    ".jsonl": _write_lines,
    ".json": _write_list,
    ".gpkg": _write_gis,
    ".fgb": _write_gis,
    ".geojson": _write_gis,
}
