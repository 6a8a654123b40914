"""Archives with known rows for the store's tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from terradrift import schema
from terradrift.grid import TILE_PATCHES, Grid
from terradrift.store.tables import Settings, Store

MODEL = "toy-1"
TABLE = "embeddings_toy_1"
CARD = {
    "model": MODEL,
    "revision": "1",
    "weights_sha256": "none",
    "bands": "red nir",
    "preprocessing": "none",
    "quantization": "float16",
}


def columns(dimensions: int = 8, **changed: str) -> pa.Schema:
    return schema.embeddings(dimensions, **{**CARD, **changed})


def store(path: Path, **settings) -> Store:
    return Store.create(path, Settings(grid=Grid(patch_size=40, gsd=10), **settings))


def tile_name(number: int) -> str:
    return f"32631_40m_{number}_0"


def scene_name(day: int) -> str:
    return f"S{day:04d}"


def instant(day: int, hour: float = 10.5) -> np.datetime64:
    start = np.datetime64("2018-01-01T00:00:00", "us")
    return start + np.timedelta64(day, "D") + np.timedelta64(int(hour * 3600), "s")


def unit(
    tile: int,
    day: int,
    *,
    patches: int | Sequence[int] = 16,
    scene: str | None = None,
    clear: float | Sequence[float] | None = None,
    hour: float = 10.5,
    dimensions: int = 8,
    run: str = "run-1",
    named: pa.Schema | None = None,
) -> pa.RecordBatch:
    """One unit's rows: vectors are random but depend only on tile, day, patch and scene."""
    which = np.arange(patches) if isinstance(patches, int) else np.asarray(patches, int)
    n = len(which)
    col = tile * TILE_PATCHES + which % TILE_PATCHES
    row = which // TILE_PATCHES
    scene = scene or scene_name(day)
    seed = [tile, day, *scene.encode()]
    vectors = np.random.default_rng(seed).normal(size=(1024, dimensions))[which]
    given = np.full(n, 90.0) if clear is None else np.broadcast_to(clear, n)
    light = np.random.default_rng([*seed, 1]).uniform(-1, 1, (3, 1024))[:, which]
    arrays = [
        pa.array(
            [f"32631_40m_{c}_{r}" for c, r in zip(col, row, strict=True)], pa.string()
        ),
        pa.array(np.full(n, instant(day, hour)), schema.INSTANT),
        pa.array([tile_name(tile)] * n, pa.string()),
        pa.array([scene] * n, pa.string()),
        pa.array(given.astype(np.float32)),
        *[pa.array(values.astype(np.float32)) for values in light],
        pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.astype(np.float16).ravel()), dimensions
        ),
        pa.array([run] * n, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=named or columns(dimensions))


def rows(table: pa.Table) -> list[dict]:
    """Every row as plain values, in the order of its key."""
    found = table.sort_by(
        [(name, "ascending") for name in ("tile", "patch_id", "datetime", "scene_id")]
    ).to_pylist()
    for row in found:
        row["embedding"] = tuple(row["embedding"])
    return found


def patches(tiles: Sequence[int], count: int = 16) -> pa.Table:
    """The table of patches that `unit` makes observations of."""
    grid = Grid(patch_size=40, gsd=10)
    found = []
    for tile in tiles:
        which = np.arange(count)
        row = which // TILE_PATCHES
        col = tile * TILE_PATCHES + which % TILE_PATCHES
        corners = grid.corners(32631, row, col)
        centers = grid.centers(32631, row, col)
        low, high = corners.min(axis=1), corners.max(axis=1)
        sides = (low[:, 0], low[:, 1], high[:, 0], high[:, 1])
        box = pa.StructArray.from_arrays(
            [pa.array(side) for side in sides], fields=list(schema.BBOX)
        )
        shapes = shapely.to_wkb(shapely.polygons(corners))
        arrays = [
            pa.array(grid.patch_ids(32631, row, col), pa.string()),
            pa.array([tile_name(tile)] * count, pa.string()),
            pa.array(["EPSG:32631"] * count, pa.string()),
            pa.array(row.astype(np.int32)),
            pa.array(col.astype(np.int32)),
            pa.array(centers[:, 0]),
            pa.array(centers[:, 1]),
            box,
            pa.array(shapes, pa.binary()),
        ]
        found.append(pa.Table.from_arrays(arrays, schema=schema.patches()))
    return pa.concat_tables(found)


def changes(tiles: Sequence[int], count: int = 16, dimensions: int = 8) -> pa.Table:
    """One change per patch, some values null, vectors random but fixed."""
    places = patches(tiles, count)
    n = len(places)
    random = np.random.default_rng(7)
    given = {
        "change_id": [f"c-{patch}" for patch in places["patch_id"].to_pylist()],
        "onset": np.full(n, instant(30)),
        "date_before": np.full(n, instant(20)),
        "date_after": np.full(n, instant(40)),
        "score": random.random(n).astype(np.float32),
        "kind": random.integers(0, 4, n),
        "persistence": ["persistent"] * n,
        "run_id": ["run-1"] * n,
    }
    arrays = []
    for column in schema.changes(dimensions):
        if column.name in places.column_names:
            arrays.append(places[column.name].cast(column.type))
        elif column.name in given:
            arrays.append(pa.array(given[column.name]).cast(column.type))
        elif pa.types.is_fixed_size_list(column.type):
            flat = random.standard_normal(n * dimensions).astype(np.float16)
            arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(flat), dimensions))
        else:
            arrays.append(pa.nulls(n, column.type))
    return pa.Table.from_arrays(arrays, schema=schema.changes(dimensions))


def filled(path: Path, tiles: int = 3, days: int = 4, count: int = 16) -> Store:
    """An archive of patches, their observations, and their ledger."""
    from terradrift.store.units import Writer

    made = store(path)
    made.append("patches", patches(range(tiles), count))
    with Writer(made, MODEL, columns()) as writer:
        for day in range(days):
            for tile in range(tiles):
                batch = unit(tile, day, patches=count)
                writer.add(tile_name(tile), (scene_name(day),), batch)
    return made
