"""What stands in a file of columns: DuckDB sorts it on disk, out of a stream of Lance."""

# ruff: noqa: S608 - names of our own schema

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.errors import ArchiveError
from terradrift.query.columns import form
from terradrift.query.columns.files import About, quoted
from terradrift.query.columns.form import BESIDE, PLACE, Form

if TYPE_CHECKING:
    import lance

_BATCH_ROWS = 1 << 16
_READ_AHEAD_BYTES = 64 << 20
_ROW_GROUP = 126_976
"""62 vectors of 2,048 rows: of four bytes each they nearly fill two blocks of 256 KiB."""
_STRETCH = 1 << 20
"""Rows that are sorted at once."""
_STORAGE = "v1.2.0"


def fill(
    connection: duckdb.DuckDBPyConnection,
    part: Path,
    about: About,
    dataset: "lance.LanceDataset",
    patches: "lance.LanceDataset | None",
) -> None:
    """Write the columns of `dataset` into the new file `part`.

    Raises:
        ArchiveError: a patch is in `patches` twice.
        OSError: no room.
    """
    laid = form.of(about.table, dataset.schema)
    connection.execute(
        f"ATTACH {quoted(str(part))} AS held "
        f"(STORAGE_VERSION '{_STORAGE}', ROW_GROUP_SIZE {_ROW_GROUP:d})"
    )
    beside = part.with_name("stage.duckdb")
    connection.execute(f"ATTACH {quoted(str(beside))} AS stage")
    _places_of(connection, patches)
    _keys(connection, laid, dataset)
    _rows(connection, laid, dataset)
    said = dict(about.items()) | {"complete": str(_complete(connection, laid)).lower()}
    connection.execute("CREATE TABLE held._about (key VARCHAR, value VARCHAR)")
    connection.executemany(
        "INSERT INTO held._about VALUES ($1, $2)", list(said.items())
    )
    connection.execute("CHECKPOINT held")
    connection.execute("DETACH held")


def _places_of(
    connection: duckdb.DuckDBPyConnection, patches: "lance.LanceDataset | None"
) -> None:
    """The patches with where they lie on the curve, as a table `known`."""
    columns = "patch_id VARCHAR, longitude DOUBLE, latitude DOUBLE"
    box = "STRUCT(xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE)"
    connection.execute(
        f"CREATE TABLE known ({columns}, bbox {box}, geometry BLOB, along BIGINT)"
    )
    if patches is None:
        return
    given = _stream(patches, ["patch_id", *PLACE], along=True)
    connection.from_arrow(given).insert_into("known")
    twice = connection.execute(
        "SELECT patch_id FROM known GROUP BY patch_id HAVING count(*) > 1 LIMIT 1"
    ).fetchone()
    if twice:
        raise ArchiveError(
            f"patch {twice[0]} is in patches twice; run terradrift validate"
        )


def _keys(
    connection: duckdb.DuckDBPyConnection, laid: Form, dataset: "lance.LanceDataset"
) -> None:
    """Moments and places, numbered in their order."""
    keys = [*laid.moments, *laid.places]
    if not keys:
        return
    connection.from_arrow(_stream(dataset, keys)).create_view("keys")
    connection.execute(
        f"CREATE TABLE found AS SELECT DISTINCT {_names(keys)} FROM keys"
    )
    moments, places = _names(laid.moments), _names(laid.places)
    connection.execute(
        f"CREATE TABLE held.moments AS SELECT {_number(moments)} AS _moment, {moments} "
        f"FROM (SELECT DISTINCT {moments} FROM found) ORDER BY _moment"
    )
    if not places:
        return
    order = f"coalesce(along, -1), {places}"
    connection.execute(
        f"CREATE TABLE held.places AS SELECT {_number(order)} AS _place, {places}, "
        f"geometry FROM (SELECT DISTINCT {places} FROM found) "
        "LEFT JOIN known USING (patch_id) ORDER BY _place"
    )


def _rows(
    connection: duckdb.DuckDBPyConnection, laid: Form, dataset: "lance.LanceDataset"
) -> None:
    """The rows of a table, along the curve by their own place or that of their patch.

    First as they come, in a file beside, then stretch by stretch of the curve: DuckDB's
    sort of everything at once would hold ever more.
    """
    columns = list(dict.fromkeys([*laid.rows, *laid.moments, *laid.places]))
    own = {"longitude", "latitude"} <= set(columns)
    connection.from_arrow(_stream(dataset, columns, along=own)).create_view("given")
    wanted = [_names(laid.rows, "g")]
    source, at = "given g", "coalesce(along, -1)"
    order = ["_at"]
    if not own:
        source += " LEFT JOIN known k ON g.patch_id = k.patch_id"
    if laid.places:
        source += f" JOIN held.places p ON {_same(laid.places, 'p')}"
        wanted += [_names(BESIDE, "k"), "p._place"]
        at = "p._place::BIGINT"
    if laid.moments:
        source += f" JOIN held.moments m ON {_same(laid.moments, 'm')}"
        wanted.append("m._moment")
        order.append("_moment")
    order.append(_names(laid.rows[:1]))
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(
        f"CREATE TABLE stage.rows AS SELECT {', '.join(wanted)}, {at} AS _at FROM {source}"
    )
    connection.execute("SET preserve_insertion_order = true")
    take = "SELECT * EXCLUDE (_at) FROM stage.rows"
    connection.execute(f"CREATE TABLE held.rows AS {take} LIMIT 0")
    for first, last in _stretches(connection):
        connection.execute(
            f"INSERT INTO held.rows {take} WHERE _at >= $1 AND _at <= $2 "
            f"ORDER BY {', '.join(order)}",
            [first, last],
        )


def _stretches(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
    """First and last place of stretches of the curve with about `_STRETCH` rows each."""
    found = connection.execute(
        "SELECT _at, count(*) AS n FROM stage.rows GROUP BY _at ORDER BY _at"
    ).fetchnumpy()
    part = (np.cumsum(found["n"]) - 1) // _STRETCH
    places = found["_at"]
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    ends = np.append(starts[1:], len(places)) - 1
    if not len(places):
        return []
    return list(zip(places[starts].tolist(), places[ends].tolist(), strict=True))


def _complete(connection: duckdb.DuckDBPyConnection, laid: Form) -> bool:
    """Whether every patch has its place."""
    if not laid.places:
        return True
    missing = connection.execute(
        "SELECT 1 FROM held.places ANTI JOIN known USING (patch_id) LIMIT 1"
    ).fetchone()
    return missing is None


def _names(columns: Iterable[str], table: str = "") -> str:
    before = f"{table}." if table else ""
    return ", ".join(f'{before}"{name}"' for name in columns)


def _number(order: str) -> str:
    """Rows counted from 0 in that order."""
    return f"(row_number() OVER (ORDER BY {order}) - 1)::UINTEGER"


def _same(columns: Iterable[str], table: str) -> str:
    return " AND ".join(f'g."{n}" IS NOT DISTINCT FROM {table}."{n}"' for n in columns)


def _stream(
    dataset: "lance.LanceDataset", columns: list[str], *, along: bool = False
) -> pa.RecordBatchReader:
    """Columns of every row, with `along` their place on the curve too; read once."""
    wanted = [dataset.schema.field(name).remove_metadata() for name in columns]
    if along:
        wanted.append(pa.field("along", pa.int64()))
    schema = pa.schema(wanted)

    def batches() -> Iterator[pa.RecordBatch]:
        scanner = dataset.scanner(
            columns=columns, batch_size=_BATCH_ROWS, io_buffer_size=_READ_AHEAD_BYTES
        )
        for batch in scanner.to_batches():
            arrays = [batch.column(name) for name in columns]
            if along:
                at = form.along(
                    *(_numbers(batch[n]) for n in ("longitude", "latitude"))
                )
                arrays.append(pa.array(at))
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """Null as NaN."""
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
