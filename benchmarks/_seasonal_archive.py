"""An archive of random vectors, written straight into the store, and its `seasonal` timed."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

import terradrift as td
from terradrift import schema

DATES, DIMENSIONS, MODEL = 60, 384, "random"
DAY_US = 86_400_000_000


def written(folder: Path, tiles: int) -> Path:
    """1,024 patches a tile, 60 dates 15 days apart, 384 numbers each, every one clear."""
    place = folder / f"{tiles}.td"
    archive = td.create(place, grid=td.Grid(patch_size=160, crs="EPSG:32631"))
    columns = schema.embeddings(DIMENSIONS, model=MODEL, revision="1")
    archive.store.append(
        f"embeddings_{MODEL}",
        pa.RecordBatchReader.from_batches(columns, _tiles(archive, tiles, columns)),
    )
    return place


def _tiles(
    archive: td.Archive, tiles: int, columns: pa.Schema
) -> Iterator[pa.RecordBatch]:
    grid, random = archive.store.settings.grid, np.random.default_rng(0)
    begin = 1_514_970_000_000_000
    for number in range(tiles):
        row, col = (axis.ravel() for axis in np.mgrid[0:32, 0:32])
        ids = grid.patch_ids(32631, row + 32 * 1000, col + 32 * (100 + number))
        tile = grid.tile_of(32631, row[:1] + 32 * 1000, col[:1] + 32 * (100 + number))
        n = len(ids) * DATES
        dates = np.tile(np.arange(DATES), len(ids))
        vectors = random.standard_normal((n, DIMENSIONS), np.float32)
        flat = pa.array(vectors.astype(np.float16).ravel())
        values = {
            "patch_id": pa.array(np.repeat(ids, DATES)),
            "datetime": pa.array(begin + dates * 15 * DAY_US).cast(schema.INSTANT),
            "tile": pa.repeat(str(tile[0]), n),
            "scene_id": pa.array([f"scene-{date:02d}" for date in dates.tolist()]),
            "clear_percent": pa.repeat(pa.scalar(100.0, pa.float32()), n),
            "embedding": pa.FixedSizeListArray.from_arrays(flat, DIMENSIONS),
            "run_id": pa.repeat("run", n),
        }
        nulls = pa.nulls(n, pa.float32())
        yield pa.RecordBatch.from_arrays(
            [values.get(name, nulls) for name in columns.names], schema=columns
        )


def timed(tiles: int, threads: int) -> dict[str, float]:
    """In a process of its own: seconds and peak memory of `detect --method seasonal`."""
    with tempfile.TemporaryDirectory() as folder:
        place = written(Path(folder), tiles)
        done = subprocess.run(
            [sys.executable, __file__, str(place), str(threads)],
            check=True,
            capture_output=True,
            text=True,
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    archive = td.open(sys.argv[1])
    archive.store.count(f"embeddings_{MODEL}")
    wall, cpu = time.perf_counter(), time.process_time()
    archive.detect(MODEL, method="seasonal", threads=int(sys.argv[2]), quiet=True)
    told = {
        "observations": archive.store.count(f"embeddings_{MODEL}"),
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
