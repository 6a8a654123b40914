"""Archives with known rows for the store's tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

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
