"""Rows to a layer of a Mapbox Vector Tile 2.1, by DuckDB's `ST_AsMVT`."""

from functools import cache

import duckdb
import pyarrow as pa

from terradrift.query.sql import sandbox
from terradrift.serve.faults import ServeError
from terradrift.serve.tiles.place import EXTENT

GEOMETRY = "geometry"

_LAYERS = ("changes", "patches", "events")
_ENCODE = {
    layer: f"SELECT ST_AsMVT(one, '{layer}', {EXTENT:d}, '{GEOMETRY}') FROM "  # noqa: S608 - our own names
    f"(SELECT * REPLACE (ST_GeomFromWKB({GEOMETRY}) AS {GEOMETRY}) FROM given) one"
    for layer in _LAYERS
}


def encode(layer: str, rows: pa.Table) -> bytes:
    """A tile with one layer; nothing at all where there are no rows.

    Args:
        layer: changes, patches or events.
        rows: `geometry` as WKB in whole numbers of the tile, rings of polygons such that
            their area is positive; every other column is a property, a null is left out.

    Raises:
        ServeError: DuckDB's `spatial` is not installed.
    """
    if not len(rows):
        return b""
    cursor = _connection().cursor()
    try:
        cursor.register("given", rows)
        (made,) = cursor.execute(_ENCODE[layer]).fetchone() or (b"",)
        cursor.unregister("given")
    finally:
        cursor.close()
    return bytes(made)


def ready() -> None:
    """Load what tiles are made with; otherwise the first of them does.

    Raises: as `encode`.
    """
    _connection()


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    if not sandbox.load_spatial(connection):
        raise ServeError(
            f"the map needs the spatial extension of DuckDB {duckdb.__version__}; "
            "pip install duckdb-extension-spatial of that version"
        )
    # Tiles are made side by side, each by the thread that was asked for it.
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
    return connection
