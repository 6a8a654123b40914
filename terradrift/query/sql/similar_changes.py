"""`similar_changes(change, k, mode)`: a search inside a statement.

The rows of `Archive.similar` as a list of structures, which a table macro unnests.
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.query.lance_scan import is_vector
from terradrift.query.search import modes
from terradrift.query.sql import macros
from terradrift.query.sql.udf import RUN, register, stopped, values

if TYPE_CHECKING:
    from terradrift.query.pinned import Pinned

_ANSWERS_HELD = 4


def columns() -> pa.Schema:
    """Those of the rows: rank, distance, and the columns of changes but vectors."""
    plain = [field for field in schema.changes(1) if not is_vector(field.type)]
    return pa.schema(
        [
            pa.field("rank", pa.int32()),
            pa.field("distance", pa.float64()),
            *(field.remove_metadata() for field in plain),
        ]
    )


def create(
    connection: duckdb.DuckDBPyConnection, store: "Pinned", *, spatial: bool
) -> None:
    """Register the function, which searches `store`, and its macro."""
    shown = columns()
    row = pa.struct(list(shown))
    empty = connection.from_arrow(shown.empty_table())
    fields = ", ".join(
        f'"{name}" {type_}'
        for name, type_ in zip(empty.columns, empty.types, strict=True)
    )

    # A statement is planned more than once, and each time a call with constants is run.
    @lru_cache(_ANSWERS_HELD)
    def search(change: str, k: int, mode: str) -> pa.Table:
        from terradrift.query.search import similar  # which asks SQL itself

        chosen = modes.resolve(mode, "changes").name
        return similar.similar(store, change=change, k=k, mode=chosen).to_arrow()

    def lists(
        change: pa.ChunkedArray,
        k: pa.ChunkedArray,
        mode: pa.ChunkedArray,
        run: pa.ChunkedArray,
    ) -> pa.Array:
        asked = zip(*map(values, (change, k, mode)), strict=True)
        return _lists(cache(search), asked, row, run[0].as_py())

    takes = ["VARCHAR", "BIGINT", "VARCHAR", "VARCHAR"]
    register(connection, "similar_changes_", lists, takes, f"STRUCT({fields})[]")
    selected = ", ".join(_shown(field, spatial=spatial) for field in shown)
    connection.execute(macros.SIMILAR_CHANGES.format(columns=selected, run=RUN))


def _shown(field: pa.Field, *, spatial: bool) -> str:
    """One column of the rows found, as the view of changes shows it."""
    inside = f'found."{field.name}"'
    if spatial and field.name == "geometry":
        inside = f"ST_GeomFromWKB({inside})"
    return f'{inside} AS "{field.name}"'


def _lists(
    search: Callable[..., pa.Table],
    asked: Iterable[tuple[Any, ...]],
    row: pa.StructType,
    run: str | None,
) -> pa.Array:
    """A list of rows for each (change, k, mode); null where one of these is.

    Raises:
        QueryError: one of the searches cannot be made, or `run` was stopped.
    """
    parts: list[pa.Table] = []
    ends, unknown = [0], []
    for each in asked:
        if stopped(run):
            raise QueryError("SQL was stopped")
        unknown.append(None in each)
        if not unknown[-1]:
            parts.append(search(*each).select([field.name for field in row]))
        ends.append(ends[-1] + (0 if unknown[-1] else parts[-1].num_rows))
    rows = pa.schema(list(row)).empty_table()
    if parts:
        rows = pa.concat_tables([part.cast(rows.schema) for part in parts])
    structs = rows.combine_chunks().to_struct_array().combine_chunks()
    offsets = pa.array(ends, pa.int32())
    return pa.ListArray.from_arrays(
        offsets, structs, pa.list_(row), mask=pa.array(unknown, pa.bool_())
    )
