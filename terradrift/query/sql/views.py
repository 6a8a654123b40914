"""The names that SQL sees: one view per table, and macros."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import lance
import pyarrow as pa

from terradrift import schema
from terradrift.query.columns.attached import attach
from terradrift.query.columns.form import PLACE
from terradrift.query.columns.narrow import Shown, View
from terradrift.query.lance_scan import FloatDataset, float32, is_vector
from terradrift.query.sql.macros import MACROS

if TYPE_CHECKING:
    from terradrift.store.tables import Store

PLAIN = ("scenes", "patches", "labels", "runs")
PER_MODEL = (
    "embeddings",
    "units",
    "changes",
    "events",
    "kinds",
    "alerts",
    "taxonomy",
)

SCENE = (
    "collection",
    "constellation",
    "platform",
    "processing_level",
    "processing_baseline",
    "boa_offset",
    "cloud_percent",
)
"""What observations tell of their scene."""

OBSERVATIONS = """
    CREATE VIEW {name} AS
    SELECT e.*, {scene}, p.longitude, p.latitude, p.bbox, p.geometry
    FROM {embeddings} e
    LEFT JOIN scenes s USING (scene_id)
    LEFT JOIN patches p USING (patch_id)
"""
"""Embeddings with their scene and their place."""

OF_PATCHES = ("scores", "patch_changes", "regimes")
"""Tables whose rows are of patches, shown with their place."""

ANOMALIES = "anomalies_"

WITH_PLACE = """
    CREATE VIEW {name} AS
    SELECT r.*, p.longitude, p.latitude, p.bbox, p.geometry
    FROM {rows} r LEFT JOIN patches p USING (patch_id)
"""
"""Rows of patches, with their places."""


def open_tables(store: "Store") -> dict[str, lance.LanceDataset]:
    """Each table that is there, at its newest version; only to read."""
    return {name: store.opened(name) for name in store.tables()}


def create(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, lance.LanceDataset],
    model: str | None,
    *,
    spatial: bool,
    row_ids_of: str | None = None,
    columns: bool = False,
) -> Shown:
    """Create all views, of which those without suffix show `model`, and the macros.

    A table that is not there yet is an empty view. `row_ids_of` names the table whose view
    has the column `_rowid` too. With `columns` the files of columns are attached, for
    `Shown.narrowed`: then only checked statements may run.
    """
    for name in PLAIN:
        if name not in tables:
            _view(connection, name, _empty(name, 0), spatial=spatial)
    for name, table in tables.items():
        rows = FloatDataset(table, row_ids=name == row_ids_of)
        _view(connection, name, rows, spatial=spatial)
    dimensions = _dimensions(tables, model)
    for name in PER_MODEL:
        held = f"{name}_{schema.suffix(model)}" if model else ""
        if held in tables:
            connection.execute(f'CREATE VIEW {name} AS FROM "{held}"')
        else:
            _view(connection, name, _empty(name, dimensions), spatial=spatial)
    _observations(connection, "observations", "embeddings")
    _of_patches(connection, tables, model, spatial=spatial)
    _anomalies(connection, tables, spatial=spatial)
    for name in tables:
        if name.startswith("embeddings_"):
            beside = f'"observations_{name.removeprefix("embeddings_")}"'
            _observations(connection, beside, f'"{name}"')
    for macro in MACROS:
        connection.execute(macro)
    views = made_of(tables, model)
    if not columns or row_ids_of:
        return Shown(views, spatial=spatial)
    attached, reasons = attach(connection, tables, spatial=spatial)
    return Shown(views, attached, reasons, spatial=spatial)


def made_of(
    tables: Mapping[str, lance.LanceDataset], model: str | None
) -> dict[str, View]:
    """What each view that holds rows is made of; views of what is not there are left out."""
    found = {name: _of_table(tables, name) for name in tables}
    own = f"_{schema.suffix(model)}" if model else ""
    for name in (*PER_MODEL, *OF_PATCHES) if own else ():
        if name + own in tables:
            found[name] = _of_table(tables, name + own, placed=name in OF_PATCHES)
    for name in list(found):
        if name.partition("_")[0] == "embeddings":
            rows = found[name].tables[0]
            beside = f"observations{name.removeprefix('embeddings')}"
            found[beside] = _of_table(tables, rows, scene=SCENE, placed=True)
    if held := [name for name in sorted(tables) if name.startswith(ANOMALIES)]:
        of_all = _of_table(tables, held[0], placed=True)
        found["anomalies"] = replace(of_all, tables=tuple(held))
    return found


def _of_table(
    tables: Mapping[str, lance.LanceDataset],
    table: str,
    *,
    scene: tuple[str, ...] = (),
    placed: bool = False,
) -> View:
    fields = tables[table].schema
    return View(
        columns=(*fields.names, *scene, *(PLACE if placed else ())),
        tables=(table,),
        vectors=frozenset(field.name for field in fields if is_vector(field.type)),
        placed=placed,
        scene=scene,
    )


def _observations(
    connection: duckdb.DuckDBPyConnection, name: str, embeddings: str
) -> None:
    scene = ", ".join(f"s.{column}" for column in SCENE)
    connection.execute(
        OBSERVATIONS.format(name=name, embeddings=embeddings, scene=scene)
    )


def _of_patches(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, lance.LanceDataset],
    model: str | None,
    *,
    spatial: bool,
) -> None:
    """One row per patch, with its place."""
    for name in OF_PATCHES:
        held = f"{name}_{schema.suffix(model)}" if model else ""
        if held in tables:
            connection.execute(WITH_PLACE.format(name=name, rows=f'"{held}"'))
        else:
            empty = _empty_with_place(getattr(schema, name)())
            _view(connection, name, empty, spatial=spatial)


def _anomalies(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, lance.LanceDataset],
    *,
    spatial: bool,
) -> None:
    """All methods in one view with their places; `method` and `model` tell them apart."""
    held = [f'FROM "{name}"' for name in sorted(tables) if name.startswith(ANOMALIES)]
    if held:
        union = " UNION ALL ".join(held)
        connection.execute(WITH_PLACE.format(name="anomalies", rows=f"({union})"))
        return
    empty = _empty_with_place(schema.anomalies())
    _view(connection, "anomalies", empty, spatial=spatial)


def _empty_with_place(columns: pa.Schema) -> pa.Table:
    placed = (schema.patches().field(name) for name in PLACE)
    return float32(pa.schema([*columns, *placed])).empty_table()


def _view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    rows: FloatDataset | pa.Table,
    *,
    spatial: bool,
) -> None:
    relation = connection.from_arrow(rows)
    # Converted in the view: DuckDB cannot push filters on GEOMETRY into an Arrow scan.
    if spatial and "geometry" in rows.schema.names:
        relation = relation.project("* REPLACE (ST_GeomFromWKB(geometry) AS geometry)")
    relation.create_view(name)


def _empty(name: str, dimensions: int) -> pa.Table:
    """No rows, with the columns of the table; vectors of unknown length are lists."""
    build = getattr(schema, name)
    with_vectors = name in ("embeddings", "changes")
    shown = float32(build(dimensions or 1) if with_vectors else build())
    if with_vectors and not dimensions:
        shown = pa.schema(
            [
                pa.field(field.name, pa.list_(pa.float32()))
                if pa.types.is_fixed_size_list(field.type)
                else field
                for field in shown
            ]
        )
    return shown.empty_table()


def _dimensions(tables: Mapping[str, lance.LanceDataset], model: str | None) -> int:
    """Length of the model's vectors, 0 where it has none yet."""
    held = tables.get(f"embeddings_{schema.suffix(model)}") if model else None
    return held.schema.field("embedding").type.list_size if held is not None else 0
