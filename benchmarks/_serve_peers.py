"""What a map of many changes could do without the server's columns; peers of `serve.py`.

    python benchmarks/_serve_peers.py WAY ARCHIVE REQUEST

`geojson`: one file of all points, as a page without a server draws. `lance`: DuckDB answers
each tile from the archive's Lance table. `native`: DuckDB answers each tile from a table of
its own, sorted along a Hilbert curve by place. REQUEST is JSON: tiles and a least score.
Prints JSON.
"""

# ruff: noqa: S608 - our own names

import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from terradrift.query.lance_scan import FloatDataset
from terradrift.query.sql import sandbox
from terradrift.serve.tiles.cells import LEVELS
from terradrift.serve.tiles.place import EXTENT
from terradrift.store.tables import Store

CELLS = 1 << LEVELS
COLUMNS = [
    "change_id",
    "longitude",
    "latitude",
    "score",
    "kind",
    "onset",
    "persistence",
]
TILE = f"""
    SELECT ST_AsMVT(cell, 'changes', {EXTENT}, 'geometry'), sum(n) FROM (
        SELECT best.change_id AS id, score, best.kind AS kind, n, geometry,
            date_diff('day', DATE '1970-01-01', best.onset::DATE) AS onset
        FROM (
            SELECT arg_max({{change_id: change_id, kind: kind, onset: onset}}, score) AS best,
                max(score) AS score, count(*) AS n,
                ST_Point((x + 0.5) * {EXTENT // CELLS}, (y + 0.5) * {EXTENT // CELLS})
                    AS geometry
            FROM (
                SELECT change_id, kind, onset, score,
                    floor(((longitude / 360 + 0.5) * $across - $x) * {CELLS}) AS x,
                    floor(((0.5 - asinh(tan(radians(latitude))) / 2 / pi()) * $across - $y)
                        * {CELLS}) AS y
                FROM changes
                WHERE longitude >= $west AND longitude < $east
                    AND latitude > $south AND latitude <= $north AND score >= $least
            ) GROUP BY x, y
        )
    ) cell
"""
"""A tile in one statement: the strongest change and the number of each cell."""


def bounds(z: int, x: int, y: int) -> dict[str, Any]:
    """Degrees of a tile, and the values of `TILE`."""

    def latitude(line: int) -> float:
        return float(np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * line / 2**z)))))

    west, east = x / 2**z * 360 - 180, (x + 1) / 2**z * 360 - 180
    return {
        "across": float(2**z),
        "x": x,
        "y": y,
        "west": west,
        "east": east,
        "south": latitude(y + 1),
        "north": latitude(y),
    }


def geojson(store: Store, table: str) -> dict[str, Any]:
    """All changes as points, written once."""
    start, cpu = time.perf_counter(), time.process_time()
    features: list[str] = []
    for batch in store.scan(table, COLUMNS):
        for row in batch.to_pylist():
            place = [round(row["longitude"], 6), round(row["latitude"], 6)]
            properties = {
                "id": row["change_id"],
                "score": round(row["score"], 2),
                "kind": row["kind"],
                "onset": row["onset"].date().isoformat(),
                "persistence": row["persistence"],
            }
            features.append(
                json.dumps(
                    {
                        "type": "Feature",
                        "geometry": {"type": "Point", "coordinates": place},
                        "properties": properties,
                    }
                )
            )
    text = '{"type": "FeatureCollection", "features": [' + ",".join(features) + "]}"
    held = text.encode()
    squeezed = gzip.compress(held, 1)
    return {
        "bytes": len(held),
        "gzip_bytes": len(squeezed),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "features": len(features),
    }


def opened(store: Store, table: str, way: str) -> duckdb.DuckDBPyConnection:
    """A connection with the view or table `changes`."""
    connection = duckdb.connect()
    sandbox.load_spatial(connection)
    connection.execute("SET threads = 4; SET TimeZone = 'UTC'")
    if way == "lance":
        connection.from_arrow(FloatDataset(store.dataset(table))).create_view("changes")
        return connection
    connection.register(
        "given", store.dataset(table).scanner(columns=COLUMNS).to_reader()
    )
    connection.execute(
        "CREATE TABLE changes AS SELECT * FROM given ORDER BY ST_Hilbert(longitude, latitude, "
        "{min_x: -180.0, min_y: -90.0, max_x: 180.0, max_y: 90.0}::BOX_2D)"
    )
    return connection


def main() -> None:
    way, folder, request = sys.argv[1:4]
    store = Store.open(Path(folder))
    table = f"changes_{store.settings.model}"
    if way == "geojson":
        print(json.dumps(geojson(store, table)))
        return
    start = time.perf_counter()
    connection = opened(store, table, way)
    asked, statement = json.loads(request), TILE
    found: dict[str, Any] = {"open_seconds": time.perf_counter() - start, "tiles": []}
    for z, x, y in asked["tiles"]:
        values = bounds(z, x, y) | {"least": asked["least"]}
        start, cpu = time.perf_counter(), time.process_time()
        body, n = connection.execute(statement, values).fetchone() or (b"", 0)
        squeezed = gzip.compress(bytes(body or b""), 1)
        found["tiles"].append(
            {
                "ms": (time.perf_counter() - start) * 1e3,
                "cpu_ms": (time.process_time() - cpu) * 1e3,
                "bytes": len(squeezed),
                "n": int(n or 0),
            }
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
