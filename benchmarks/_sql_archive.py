"""A large archive of made-up observations, straight into its tables, and the same rows as
people would keep them otherwise: a DuckDB table, GeoParquet in order and shuffled.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import shapely

from terradrift import schema
from terradrift.grid import Grid
from terradrift.query.columns import build, files
from terradrift.query.sql import sandbox
from terradrift.store import hilbert
from terradrift.store.tables import Settings, Store

SEED = 11
MODEL = "bench"
DIMENSIONS = 8
BLOCK = 2000
"""Patches of one batch of rows."""
WEST, SOUTH = 3.0, 50.0
STEP = (0.0022, 0.0014)
"""Degrees of a patch."""
REASONS = ("too few references", "not clear", "no controls")


def cells(patches: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of each patch, tile by tile."""
    side = int(np.ceil(np.sqrt(patches)))
    col, row = np.divmod(np.arange(side * side), side)
    order = np.lexsort((col, row, col // 32, row // 32))
    return col[order][:patches], row[order][:patches]


def place(col: np.ndarray, row: np.ndarray) -> dict[str, pa.Array]:
    west, south = WEST + col * STEP[0], SOUTH + row * STEP[1]
    east, north = west + STEP[0], south + STEP[1]
    sides = [pa.array(side) for side in (west, south, east, north)]
    return {
        "patch_id": pa.array(
            [f"32631_160m_{c:d}_{r:d}" for c, r in zip(col, row, strict=True)]
        ),
        "tile": pa.array(
            [
                f"32631_160m_{c:d}_{r:d}"
                for c, r in zip(col // 32, row // 32, strict=True)
            ]
        ),
        "longitude": pa.array((west + east) / 2),
        "latitude": pa.array((south + north) / 2),
        "bbox": pa.StructArray.from_arrays(sides, fields=list(schema.BBOX)),
        "geometry": pa.array(shapely.to_wkb(shapely.box(west, south, east, north))),
    }


def table(columns: dict[str, pa.Array], wanted: pa.Schema) -> pa.Table:
    """`columns` in the wanted schema; those not given are null."""
    rows = len(next(iter(columns.values())))
    return pa.table(
        [
            columns[f.name].cast(f.type)
            if f.name in columns
            else pa.nulls(rows, f.type)
            for f in wanted
        ],
        schema=wanted,
    )


def days(dates: int) -> np.ndarray:
    """Instants of the scenes, to the millisecond as Sentinel-2 has them."""
    rng = np.random.default_rng(SEED)
    shift = rng.integers(0, 60_000, dates).astype("m8[ms]")
    start = np.datetime64("2019-01-01T10:50:31", "ms")
    return (start + np.arange(dates) * np.timedelta64(30, "D") + shift).astype("M8[us]")


def floats(rng: np.random.Generator, rows: int, *names: str) -> dict[str, pa.Array]:
    return {n: pa.array(rng.gamma(2, 0.05, rows).astype(np.float32)) for n in names}


def vectors(rng: np.random.Generator, rows: int) -> pa.Array:
    flat = rng.normal(size=rows * DIMENSIONS).astype(np.float16)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), DIMENSIONS)


def observations(start: int, places: dict[str, pa.Array], dates: int) -> dict:
    """Columns that embeddings and scores share."""
    patches = len(places["patch_id"])
    rng = np.random.default_rng(SEED + start)
    day = np.tile(np.arange(dates), patches)
    patch = pa.array(np.repeat(np.arange(patches), dates))
    clear = np.where(rng.random(len(day)) < 0.6, 256, rng.integers(128, 257, len(day)))
    return {
        "patch_id": places["patch_id"].take(patch),
        "tile": places["tile"].take(patch),
        "datetime": pa.array(days(dates)[day]).cast(schema.INSTANT),
        "scene_id": pa.array([f"S2A_{d:05d}" for d in range(dates)]).take(
            pa.array(day)
        ),
        "clear_percent": pa.array((clear / 2.56).astype(np.float32)),
        "run_id": pa.array(["bench"]).take(pa.array(np.zeros(len(day), np.int64))),
    }


def batches(name: str, patches: int, dates: int, wanted: pa.Schema) -> Iterator:
    """Rows of a table, `BLOCK` patches at a time."""
    col, row = cells(patches)
    for start in range(0, patches, BLOCK):
        part = slice(start, start + BLOCK)
        places = place(col[part], row[part])
        rng = np.random.default_rng(SEED + 7 * start)
        rows = observations(start, places, dates)
        count = len(rows["run_id"])
        if name == "embeddings":
            rows |= floats(rng, count, "ndvi", "nbr", "ndwi")
            rows["embedding"] = vectors(rng, count)
        elif name == "scores":
            rows |= floats(
                rng, count, "drift", "z", "p_value", "q_value", "lof", "cusum", "ewma"
            )
            at = rng.integers(0, 10 * len(REASONS), count)
            rows["reason"] = pa.array(REASONS).take(
                pa.array(at, mask=at >= len(REASONS))
            )
        else:
            rows = change_rows(rng, places)
        yield from table(rows, wanted).to_batches()


def change_rows(rng: np.random.Generator, places: dict[str, pa.Array]) -> dict:
    """Ten changes of each patch."""
    count = 10 * len(places["patch_id"])
    at = pa.array(np.arange(count) // 10)
    rows = {name: column.take(at) for name, column in places.items()}
    ids = rows["patch_id"].to_pylist()
    onset = np.datetime64("2019-01-01", "us") + rng.integers(0, 1500, count).astype(
        "m8[D]"
    )
    rows |= {
        "change_id": pa.array([f"{one}/{i % 10}" for i, one in enumerate(ids)]),
        "onset": pa.array(onset).cast(schema.INSTANT),
        "kind": pa.array(rng.integers(-1, 30, count).astype(np.int32)),
        **floats(rng, count, "drift", "z", "score", "p_value"),
    }
    return rows | {name: vectors(rng, count) for name in ("before", "after", "delta")}


def make(folder: Path, patches: int, dates: int) -> Store:
    """The archive."""
    store = Store.create(folder / "bench.td", Settings(Grid(160), model=MODEL))
    scene = {
        "scene_id": pa.array([f"S2A_{d:05d}" for d in range(dates)]),
        "datetime": pa.array(days(dates)).cast(schema.INSTANT),
        "collection": pa.array(["sentinel-2-l2a"] * dates),
    }
    store.append("scenes", table(scene, schema.scenes()))
    store.append("patches", table(place(*cells(patches)), schema.patches()))
    for name, wanted in (
        ("embeddings", schema.embeddings(DIMENSIONS, model=MODEL, revision="1")),
        ("scores", schema.scores()),
        ("changes", schema.changes(DIMENSIONS)),
    ):
        rows = batches(name, patches, dates, wanted)
        store.append(f"{name}_{MODEL}", rows, wanted)
    return store


def index(store: Store) -> list[build.Built]:
    """Files of columns of every table that has them."""
    wanted = (t for t in store.tables() if t.split("_")[0] in files_of())
    return [build.build(store, name, threads=2) for name in wanted]


def files_of() -> tuple[str, ...]:
    return ("patches", "embeddings", "scores", "changes")


def otherwise(folder: Path, store: Store) -> dict[str, int]:
    """The same rows as people keep them: one flat row per observation, place and all.

    `native.duckdb` and `ordered.parquet` are sorted along a Hilbert curve, then in time;
    `shuffled.parquet` is not. Instants are TIMESTAMP, which DuckDB truncates to months
    much faster than TIMESTAMPTZ.
    """
    con = duckdb.connect(str(folder / "native.duckdb"))
    sandbox.load_spatial(con)
    con.execute("SET threads = 2; SET TimeZone = 'UTC'")
    patches = store.dataset("patches").to_table()
    cell = np.array([one.split("_")[2:] for one in patches["patch_id"].to_pylist()])
    along = hilbert.distance(*cell.astype(np.int64).T, bits=12)
    con.register("given", patches.append_column("along", pa.array(along)))
    con.execute(
        "CREATE TEMP TABLE p AS SELECT patch_id, longitude, latitude, bbox, "
        "geometry, along FROM given"
    )
    con.register("s", store.dataset(f"scores_{MODEL}"))
    flat = (
        "SELECT s.* REPLACE (s.datetime::TIMESTAMP AS datetime), longitude, latitude, "
        "bbox, geometry FROM s JOIN p USING (patch_id)"
    )
    con.execute(f"CREATE TABLE scores AS {flat} ORDER BY along, datetime")
    changes = store.dataset(f"changes_{MODEL}")
    plain = [n for n in changes.schema.names if n not in ("before", "after", "delta")]
    con.register("c", changes.scanner(columns=plain).to_reader())
    con.execute(
        "CREATE TABLE changes AS SELECT c.* REPLACE (onset::TIMESTAMP AS onset) "
        "FROM c JOIN p USING (patch_id) ORDER BY along, onset"
    )
    con.execute("CHECKPOINT")
    form = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
    sizes = {"native.duckdb": (folder / "native.duckdb").stat().st_size}
    for name, order in (
        ("ordered", ""),
        ("shuffled", "ORDER BY hash(patch_id, datetime)"),
    ):
        target = folder / f"{name}.parquet"
        con.execute(f"COPY (FROM scores {order}) TO '{target}' {form}")
        sizes[target.name] = target.stat().st_size
        changed = folder / f"{name}-changes.parquet"
        con.execute(
            f"COPY (FROM changes {order and 'ORDER BY hash(change_id)'}) TO '{changed}' {form}"
        )
    return sizes | {file.name: file.stat().st_size for file in files.listed(store.root)}
