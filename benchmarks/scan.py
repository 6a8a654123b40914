"""How fast the store hands out whole histories, beside a memory-mapped read of the same bytes.

    python benchmarks/scan.py --gb 0.75 --dimensions 768 --dates 60 --clear 0.7

Builds an archive unit by unit (one tile on one day at a time, as `embed` writes it) in a
temporary folder, reads every history before and after `optimize`, and compares with a
NumPy memory map of exactly the same vectors that is summed over, and with a plain Lance
scan of the vector column. All from a warm page cache; the median of `--repeats` is shown.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift.grid import TILE_PATCHES, Grid
from terradrift.store import optimize, series
from terradrift.store.tables import Settings, Store
from terradrift.store.units import Writer

MODEL = "bench"
TABLE = "embeddings_bench"
PATCHES = TILE_PATCHES**2


def unit(
    tile: int, day: int, vectors: np.ndarray, seen: np.ndarray, columns: pa.Schema
) -> pa.RecordBatch:
    """The rows of one tile on one day, for the patches that were clear."""
    col = tile * TILE_PATCHES + seen % TILE_PATCHES
    row = seen // TILE_PATCHES
    n, d = len(seen), vectors.shape[1]
    instant = np.datetime64("2018-01-01T10:30", "us") + np.timedelta64(day * 5, "D")
    arrays = [
        pa.array([f"32631_160m_{c}_{r}" for c, r in zip(col, row, strict=True)]),
        pa.array(np.full(n, instant), schema.INSTANT),
        pa.array([f"32631_160m_{tile}_0"] * n),
        pa.array([f"scene-{day}"] * n),
        *[pa.array(np.full(n, value, np.float32)) for value in (90, 0.5, 0.3, 0.1)],
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), d),
        pa.array(["run"] * n),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=columns)


def build(root: Path, options: argparse.Namespace) -> tuple[Store, np.memmap]:
    """An archive, and the same vectors in one raw file."""
    random = np.random.default_rng(options.seed)
    d = options.dimensions
    columns = schema.embeddings(d, model=MODEL, revision="1")
    per_tile = PATCHES * options.dates * options.clear * d * 2
    tiles = max(1, round(options.gb * 1e9 / per_tile))
    store = Store.create(root / "archive", Settings(Grid(160, 10.0)))
    pool = random.standard_normal((PATCHES, d)).astype(np.float16)
    raw = root / "raw.f16"
    with Writer(store, MODEL, columns) as writer, raw.open("wb") as file:
        for day in range(options.dates):
            for tile in range(tiles):
                seen = np.flatnonzero(random.random(PATCHES) < options.clear)
                vectors = pool[random.permutation(PATCHES)[: len(seen)]]
                file.write(vectors.tobytes())
                name = f"32631_160m_{tile}_0"
                batch = unit(tile, day, vectors, seen, columns)
                writer.add(name, (f"scene-{day}",), batch)
    return store, np.memmap(raw, np.float16, mode="r").reshape(-1, d)


def timed(read: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median wall and processor seconds, after one run that warms the cache."""
    read()
    wall, cpu = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        read()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return statistics.median(wall), statistics.median(cpu)


def once(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def read_raw(mapped: np.memmap) -> None:
    """Copy every byte of the map once, 64 MB at a time, into one buffer."""
    step = max(1, (64 << 20) // (mapped.shape[1] * 2))
    buffer = np.empty((step, mapped.shape[1]), np.float16)
    for start in range(0, len(mapped), step):
        piece = mapped[start : start + step]
        buffer[: len(piece)] = piece


def read_series(store: Store) -> int:
    return sum(len(block) for block in series.blocks(store, MODEL))


def read_lance(store: Store) -> int:
    batches = store.dataset(TABLE).to_batches(columns=["embedding"], batch_size=8192)
    return sum(batch.num_rows for batch in batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=0.75)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--dates", type=int, default=60)
    parser.add_argument("--clear", type=float, default=0.7)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start, used = time.perf_counter(), time.process_time()
        store, mapped = build(Path(folder), options)
        seconds = {"build": (time.perf_counter() - start, time.process_time() - used)}
        seconds["raw memory map"] = timed(lambda: read_raw(mapped), options.repeats)
        for state in ("as embedded", "optimized"):
            if state == "optimized":
                seconds["optimize"] = once(lambda: optimize.optimize(store))
            seconds[f"Lance scan, {state}"] = timed(
                lambda: read_lance(store), options.repeats
            )
            seconds[f"series, {state}"] = timed(
                lambda: read_series(store), options.repeats
            )
        report(options, seconds, mapped.nbytes / 1e9, store.count(TABLE))


def report(
    options: argparse.Namespace,
    seconds: dict[str, tuple[float, float]],
    gb: float,
    rows: int,
) -> None:
    rates = {name: gb / wall for name, (wall, _) in seconds.items()}
    ratio = {name: rate / rates["raw memory map"] for name, rate in rates.items()}
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "pylance": version("pylance"),
        "rows": rows,
        "gb": round(gb, 3),
        **{key: value for key, value in vars(options).items() if key != "json"},
    }
    if options.json:
        print(json.dumps({**about, "gb_per_s": rates, "to_raw": ratio, "s": seconds}))
        return
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for name, (wall, cpu) in seconds.items():
        print(
            f"{name:24} {wall:7.3f} s wall {cpu:7.3f} s cpu {rates[name]:6.2f} GB/s "
            f"{ratio[name]:5.2f} x raw"
        )


if __name__ == "__main__":
    main()
