"""Rows of Arrow to GeoPackage, FlatGeobuf and GeoJSON, batch by batch.

Nested values are JSON, vectors and `bbox` are left out, places are longitude and latitude.
A GeoPackage may hold several layers, and styles that QGIS opens them with.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from terradrift.errors import QueryError
from terradrift.query import flat
from terradrift.query.geoparquet import GEOMETRY, has_geometry, shapes
from terradrift.schema import BBOX

DRIVERS: Mapping[str, str] = {
    ".gpkg": "GPKG",
    ".fgb": "FlatGeobuf",
    ".geojson": "GeoJSON",
}
_WKB = {b"ARROW:extension:name": b"geoarrow.wkb"}
_LOOKED_AT = 100_000
"""Rows that are looked at for the one type of geometry that a layer states."""
_POLYGONS = {"Polygon", "MultiPolygon"}
_STYLES = """
CREATE TABLE IF NOT EXISTS layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
    f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)
"""
"""The table in which QGIS keeps styles beside the layers of a GeoPackage."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer of a file."""

    name: str
    rows: pa.RecordBatchReader
    description: str = ""
    polygons: bool = False
    """Whether all places are known to be polygons, single or multi."""
    styles: Mapping[str, str] = field(default_factory=dict)
    """Name -> QML; the first is what QGIS opens the layer with."""


def write(layers: Iterable[Layer], path: Path) -> None:
    """Write each layer, streaming; only a GeoPackage takes several, and keeps styles.

    Raises:
        QueryError: a layer without a `geometry`.
    """
    driver = DRIVERS[path.suffix.lower()]
    styled = []
    for at, layer in enumerate(layers):
        _write(layer, path, driver, append=at > 0)
        styled.append(layer)
    if driver == "GPKG":
        _keep_styles(path, styled)


def layer_name(text: str) -> str:
    """A name that every driver takes."""
    return re.sub(r"\W+", "_", text)


def _write(layer: Layer, path: Path, driver: str, *, append: bool) -> None:
    import pyogrio

    if not has_geometry(layer.rows.schema):
        raise no_geometry(layer.rows.schema)
    kind, rows = _geometry_type(layer)
    columns = _shaped(layer.rows.schema.empty_table(), kind).schema
    batches = (
        batch
        for one in rows
        for batch in _shaped(pa.Table.from_batches([one]), kind)
        .cast(columns)
        .to_batches()
    )
    options = {"DESCRIPTION": layer.description} if layer.description else {}
    if driver == "GeoJSON":
        options["RFC7946"] = "YES"
    pyogrio.write_arrow(
        pa.RecordBatchReader.from_batches(columns, batches),
        path,
        layer=layer_name(layer.name),
        driver=driver,
        geometry_name=GEOMETRY,
        geometry_type=kind,
        # GDAL's drivers know this longitude, latitude system by its EPSG name.
        crs="EPSG:4326",
        layer_options=options,
        append=append,
    )


def _geometry_type(layer: Layer) -> tuple[str, Iterator[pa.RecordBatch]]:
    """The type of geometry that a layer may state, and its rows, from the first on.

    Single and multi polygons are a layer of multi polygons. A layer whose rows were not
    all looked at may have any others later, and states none.
    """
    looked, count, types = [], 0, set[str]()
    for batch in layer.rows:
        looked.append(batch)
        count += batch.num_rows
        found = shapes(batch.column(GEOMETRY))
        types |= {shape.geom_type for shape in found if shape is not None}
        if count >= _LOOKED_AT:
            break
    everything = chain(looked, layer.rows)
    if count >= _LOOKED_AT:
        return ("MultiPolygon" if layer.polygons else "Unknown"), everything
    if types == _POLYGONS:
        return "MultiPolygon", everything
    return (types.pop() if len(types) == 1 else "Unknown"), everything


def _shaped(table: pa.Table, kind: str) -> pa.Table:
    """Columns of the types that GDAL's drivers have; others as numbers or text."""
    rest = [f.name for f in table.schema if f.name != GEOMETRY and f.type != BBOX]
    beside = flat.flat(table.select(rest))
    fields, columns = [], []
    for one, column in zip(beside.schema, beside.columns, strict=True):
        type_ = _for_gdal(one.type)
        fields.append(pa.field(one.name, type_))
        columns.append(column.cast(type_))
    place = table[GEOMETRY]
    if kind == "MultiPolygon":
        place = pa.array(_multi(shapes(place)), pa.binary())
    fields.append(pa.field(GEOMETRY, pa.binary(), metadata=_WKB))
    return pa.table([*columns, place], schema=pa.schema(fields))


def _for_gdal(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_time(kind) or pa.types.is_null(kind):
        return pa.string()
    return kind


def _multi(found: np.ndarray) -> list[bytes | None]:
    """WKB with single polygons as multi polygons of one."""
    single = np.flatnonzero(shapely.get_type_id(found) == shapely.GeometryType.POLYGON)
    made = found.copy()
    made[single] = shapely.multipolygons(found[single], indices=np.arange(len(single)))
    return list(shapely.to_wkb(made))


def _keep_styles(path: Path, layers: Iterable[Layer]) -> None:
    rows = [
        (name, qml, at == 0, layer.description, layer_name(layer.name))
        for layer in layers
        for at, (name, qml) in enumerate(layer.styles.items())
    ]
    if not rows:
        return
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(_STYLES)
        connection.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
            "f_geometry_column, styleName, styleQML, useAsDefault, description) "
            "SELECT '', '', table_name, column_name, ?, ?, ?, ? "
            "FROM gpkg_geometry_columns WHERE table_name = ?",
            rows,
        )
        # A table that the file's contents name is a layer without a place to readers.
        connection.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles')"
        )


def no_geometry(columns: pa.Schema) -> QueryError:
    """What to say of rows that are no map."""
    return QueryError(
        f"expected a WKB column {GEOMETRY}, got {', '.join(columns.names)}; "
        "select it, or use df()"
    )
