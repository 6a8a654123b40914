"""What every column of SQL's views is: type, unit, meaning, source, when it is null."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

import duckdb
import pyarrow as pa

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.query.lance_scan import float32, is_vector
from terradrift.query.sql import near_miss
from terradrift.query.sql.meanings import TABLES, UNITS, View
from terradrift.query.sql.meanings.common import PLACE_OF_PATCH
from terradrift.query.sql.meanings.functions import FUNCTIONS
from terradrift.query.sql.views import OF_PATCHES

NAME = "columns_described"
"""The view in which SQL finds all of this."""

COLUMNS = ("view", "column", "type", "unit", "meaning", "source", "null_when")

WITH_PLACE = (*OF_PATCHES, "observations", "anomalies")
"""Views that join the place of each row's patch."""

VIEWS: Mapping[str, View] = {
    name: replace(table, columns={**table.columns, **PLACE_OF_PATCH})
    if name in WITH_PLACE
    else table
    for name, table in TABLES.items()
}
"""What is described, in order."""


def fields(view: str) -> pa.Schema:
    """Columns of a view with their Arrow types; vectors have any length."""
    if view == "observations":
        parts = list(schema.embeddings(1))
        held = {field.name for field in parts}
        scenes = (field for field in schema.scenes() if field.name not in held)
        parts += [each for each in scenes if each.name in TABLES[view].columns]
    else:
        build = getattr(schema, view)
        parts = list(build(1) if view in ("embeddings", "changes") else build())
    if view in WITH_PLACE:
        parts += [schema.patches().field(name) for name in PLACE_OF_PATCH]
    return pa.schema(parts)


def table(view: str | None = None) -> pa.Table:
    """One row per column of all views, or of one.

    Types are DuckDB's; `FLOAT[d]` has the length of the model's vectors, and a geometry is
    GEOMETRY where `spatial` is there, else BLOB.

    Raises:
        QueryError: no such view.
    """
    rows = [
        (name, column, types(name)[column], told)
        for name in _named(view)
        for column, told in VIEWS[name].columns.items()
    ]
    values = [
        (name, column, type_, told.unit, told.meaning, told.source, told.null)
        for name, column, type_, told in rows
    ]
    return pa.table(
        [pa.array(list(each), pa.string()) for each in zip(*values, strict=True)],
        names=list(COLUMNS),
    )


def text(view: str | None = None) -> str:
    """The same to read: of one view all, of all views what a row is and the columns.

    Raises:
        QueryError: no such view.
    """
    if view is None:
        return "\n".join(_overview())
    (name,) = _named(view)
    return "\n".join(_whole(name, VIEWS[name]))


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the view `columns_described`, before the connection is sealed."""
    connection.from_arrow(table()).create_view(NAME)


def _named(view: str | None) -> list[str]:
    if view is None:
        return list(VIEWS)
    if view not in VIEWS:
        meant = " or ".join(near_miss.views_meant(view, VIEWS))
        told = f"did you mean {meant}?" if meant else f"there are {', '.join(VIEWS)}"
        raise QueryError(f"no view {view}; {told}")
    return [view]


@cache
def types(view: str) -> Mapping[str, str]:
    """DuckDB's type of each column of a view, as in `table`."""
    columns = fields(view)
    empty = float32(columns).empty_table()
    with duckdb.connect(":memory:") as connection:
        relation = connection.from_arrow(empty)
        named = dict(zip(relation.columns, map(str, relation.types), strict=True))
    vectors = {each.name: "FLOAT[d]" for each in columns if is_vector(each.type)}
    shape = {"geometry": "GEOMETRY"} if "geometry" in named else {}
    return {**named, **vectors, **shape}


def _overview() -> Iterator[str]:
    for name, view in VIEWS.items():
        yield f"{name}: {view.row}"
        yield f"    {', '.join(view.columns)}"
    yield f"{NAME}: type, unit, meaning and source of all of these"
    yield "functions: " + "; ".join(each.call for each in FUNCTIONS.values())


def _whole(name: str, view: View) -> Iterator[str]:
    yield f"{name}: {view.row}; key {', '.join(view.key)}"
    shown = types(name)
    width = max(map(len, view.columns))
    for column, told in view.columns.items():
        yield f"  {column:<{width}}  {shown[column]}, {told.unit}: {told.meaning}"
        null = "" if told.null == "never" else f" Null: {told.null}."
        yield f"  {'':<{width}}  Source: {told.source}.{null}"
    used = {told.unit for told in view.columns.values()}
    yield "Units. " + "; ".join(f"{u}: {UNITS[u]}" for u in UNITS if u in used)
