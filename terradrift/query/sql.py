"""SQL on the archive: DuckDB reads the Lance tables, read-only and sealed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import duckdb

from terradrift import threads as _threads
from terradrift.errors import QueryError
from terradrift.query import sandbox, views

if TYPE_CHECKING:
    import lance

    from terradrift.store.tables import Store


def connect(
    store: "Store", *, threads: int | None = None, memory_bytes: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A sealed connection that sees the archive's tables as they are now.

    Views: `scenes`, `patches`, `labels`, `runs`; of the current model `embeddings`,
    `observations` (with scene and place), `units`, `scores`, `changes`, `events`, `kinds`;
    and each of these as `<table>_<model>` for every model. Vectors are FLOAT[d], instants
    TIMESTAMPTZ in UTC, `geometry` is GEOMETRY in degrees where the `spatial` extension is
    installed and a WKB BLOB where it is not. Macros: see `views.MACROS`.

    Statements that were not checked by `sandbox.check` still find no file, network or
    setting to reach. Results hold what they need: the connection may go before them.
    """
    return connect_tables(
        views.open_tables(store),
        store.settings.model,
        threads=threads,
        memory_bytes=memory_bytes,
    )


def connect_tables(
    tables: Mapping[str, "lance.LanceDataset"],
    model: str | None,
    *,
    threads: int | None = None,
    memory_bytes: int | None = None,
    row_ids_of: str | None = None,
) -> duckdb.DuckDBPyConnection:
    """As `connect`, on tables already opened."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    spatial = sandbox.load_spatial(connection)
    views.create(connection, tables, model, spatial=spatial, row_ids_of=row_ids_of)
    sandbox.seal(
        connection, threads=_threads.resolve(threads), memory_bytes=memory_bytes
    )
    return connection


def sql(
    store: "Store",
    text: str,
    **values: Any,  # noqa: ANN401 - whatever DuckDB can bind
) -> duckdb.DuckDBPyRelation:
    """The answer to one SELECT statement, as a lazy DuckDB relation.

    `values` are bound by name: `sql(store, "FROM changes WHERE kind = $kind", kind=3)`.

    Raises:
        QueryError: not one statement that only reads, or names that are not there.
    """
    return run(connect(store), text, values)


def run(
    connection: duckdb.DuckDBPyConnection, text: str, values: Mapping[str, Any]
) -> duckdb.DuckDBPyRelation:
    """As `sql`, on a connection from `connect`."""
    sandbox.check(connection, text)
    try:
        relation = connection.sql(text, params=dict(values) if values else None)
    except duckdb.Error as error:
        raise sandbox.query_error(error) from error
    if relation is None:
        raise QueryError(f"SQL takes a SELECT statement that gives rows, got {text!r}")
    return relation
