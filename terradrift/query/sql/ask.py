"""SQL on the archive: DuckDB reads the Lance tables, read-only and sealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import duckdb

from terradrift import threads as _threads
from terradrift.query.columns import files
from terradrift.query.columns.narrow import Shown
from terradrift.query.pinned import Pinned
from terradrift.query.relation import Relation
from terradrift.query.sql import described, functions, sandbox, views
from terradrift.query.sql.limits import NONE, Limits
from terradrift.query.sql.questions import Questions

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
    installed and a WKB BLOB where it is not. Functions: see `macros`.

    Statements that were not checked by `sandbox.check` still find no file, network or
    setting to reach. Results hold what they need: the connection may go before them.
    `memory_bytes` limits DuckDB, by default to half of the machine's; nothing is spilled.
    """
    return connect_tables(
        views.open_tables(store),
        store.settings.model,
        store=store,
        threads=threads,
        memory_bytes=memory_bytes,
    )


def connect_tables(
    tables: Mapping[str, "lance.LanceDataset"],
    model: str | None,
    *,
    store: "Store | None" = None,
    threads: int | None = None,
    memory_bytes: int | None = None,
    row_ids_of: str | None = None,
) -> duckdb.DuckDBPyConnection:
    """As `connect`, on tables already opened, in an instance of its own.

    Functions that search and compare are there where `store`, whose tables they are, is.
    """
    connection, _ = _open(
        tables,
        model,
        store=store,
        threads=threads,
        memory_bytes=memory_bytes,
        row_ids_of=row_ids_of,
    )
    return connection


def _open(
    tables: Mapping[str, "lance.LanceDataset"],
    model: str | None,
    *,
    store: "Store | None" = None,
    threads: int | None = None,
    memory_bytes: int | None = None,
    row_ids_of: str | None = None,
    columns: bool = False,
) -> "tuple[duckdb.DuckDBPyConnection, Shown]":
    """As `connect_tables`; with `columns` for checked statements only."""
    connection, spatial = sandbox.opened()
    shown = views.create(
        connection,
        tables,
        model,
        spatial=spatial,
        row_ids_of=row_ids_of,
        columns=columns,
    )
    described.create(connection)
    pinned = Pinned.of(store, tables) if store is not None else None
    functions.create(connection, pinned, spatial=spatial)
    sandbox.seal(
        connection, threads=_threads.resolve(threads), memory_bytes=memory_bytes
    )
    return connection, shown


def sql(
    store: "Store",
    text: str,
    limits: Limits | None = None,
    /,
    **values: Any,  # noqa: ANN401 - whatever DuckDB can bind
) -> Relation:
    """The answer to one SELECT statement on the views of `connect`, not run yet.

    `values` are bound by name: `sql(store, "FROM changes WHERE kind = $kind", kind=3)`.

    Raises:
        QueryError: not one statement that only reads, or names that are not there.
    """
    bounds = limits or NONE
    opened = _opened(views.open_tables(store), store)
    _, questions = _instance(opened, store.settings.model, None, bounds.memory_bytes)
    return questions.answer(text, values, bounds)


def shared(
    tables: "Mapping[str, lance.LanceDataset]",
    model: str | None,
    row_ids_of: str | None = None,
    memory_bytes: int | None = None,
    store: "Store | None" = None,
) -> duckdb.DuckDBPyConnection:
    """As `connect_tables`, for checked statements only: unchanged tables share an instance.

    Loading `spatial` takes most of the time that a connection costs.
    """
    connection, _ = _instance(_opened(tables, store), model, row_ids_of, memory_bytes)
    return connection.cursor()


def run(
    connection: duckdb.DuckDBPyConnection,
    text: str,
    values: Mapping[str, Any],
    limits: Limits = NONE,
) -> Relation:
    """As `sql`, on a connection from `connect`."""
    return Questions(connection, Shown({})).answer(text, values, limits)


@dataclass(frozen=True, slots=True)
class _Opened:
    """Tables, compared by what they hold, how vectors are compared, and files beside."""

    identities: tuple[tuple[object, ...], ...]
    spaces: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    tables: "Mapping[str, lance.LanceDataset]" = field(compare=False)
    store: "Store | None" = field(compare=False)


_IDENTITIES: "WeakKeyDictionary[lance.LanceDataset, tuple[object, ...]]" = (
    WeakKeyDictionary()
)
"""Of tables that were asked for: they are opened once until they change."""


def _opened(
    tables: "Mapping[str, lance.LanceDataset]", store: "Store | None"
) -> _Opened:
    chosen = tuple(sorted(store.settings.spaces.items())) if store else ()
    beside = tuple(file.name for file in files.listed(store.root)) if store else ()
    return _Opened(
        tuple(map(_identity, tables.values())), chosen, beside, tables, store
    )


def _identity(table: "lance.LanceDataset") -> tuple[object, ...]:
    """What tells one table at one version; file names tell an archive made anew."""
    version = table.version
    held = _IDENTITIES.get(table)
    if held is None or held[0] != version:
        held = _IDENTITIES[table] = version, *_files(table)
    return held


def _files(table: "lance.LanceDataset") -> tuple[str, ...]:
    held = [file.path for part in table.get_fragments() for file in part.data_files()]
    return table.uri, *held


@lru_cache(maxsize=4)
def _instance(
    opened: _Opened,
    model: str | None,
    row_ids_of: str | None,
    memory_bytes: int | None,
    columns: bool = True,
) -> tuple[duckdb.DuckDBPyConnection, Questions]:
    connection, shown = _open(
        opened.tables,
        model,
        store=opened.store,
        memory_bytes=memory_bytes,
        row_ids_of=row_ids_of,
        columns=columns and opened.store is not None,
    )

    def bare() -> duckdb.DuckDBPyConnection:
        return _instance(opened, model, row_ids_of, memory_bytes, columns=False)[0]

    return connection, Questions(connection, shown, bare if columns else None)
