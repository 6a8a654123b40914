"""Temporal drift of whole histories: ours beside pandas, numpy, torch and a Lance scan.

    python benchmarks/drift.py                         # 20,000 patches x 60 dates x 768
    python benchmarks/drift.py --patches 5000 --sides ours numpy pandas

One job for all: cosine distance of the later half of the dates to the centroid of the
first half, its robust z against the left-out distances of that half, and CUSUM of z; all
observations are clear. Every side runs in a process of its own; pandas and torch judge a
sample and are extrapolated, which is said (`share`). GB are those of the stored float16.
`error` is the largest difference of drift to float64 over a sample, and of z. `of_memory`
and `of_disk` are rates beside plain reading of the same bytes, measured turn by turn.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path

import _drift
import numpy as np
from _drift import CHUNK, SLACK, Found, in_numpy

CHECKED = 200
SAMPLED = {"pandas": 200, "torch": 4000, "torch, 4 threads": 2000}
"""Patches that slow sides judge; beside other work torch waits for its own threads."""
MODEL = "bench"


def by_ours(rows: np.ndarray, threads: int) -> Found:
    from terradrift.detect import centroid

    clear = np.ones(rows.shape[:2], bool)
    half = rows.shape[1] // 2
    found = centroid.apart(
        rows, clear, centroid.first(clear, half), slack=SLACK, threads=threads
    )
    return found.drift[:, half:], found.z[:, half:], found.cusum[:, half:]


def by_twin(rows: np.ndarray, threads: int) -> Found:
    os.environ["TERRADRIFT_KERNELS"] = "off"
    return by_ours(rows, threads)


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Least wall and processor seconds."""
    wall, cpu = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return min(wall), min(cpu)


SIDES: dict[str, tuple[Callable[[np.ndarray, int], Found], int, int]] = {
    # what is called, threads, repeats
    "ours": (by_ours, 1, 5),
    "ours, 4 threads": (by_ours, 4, 9),
    "ours without kernels, 4 threads": (by_twin, 4, 1),
    "numpy": (_drift.by_numpy, 1, 1),
    "numpy, 4 threads": (_drift.by_numpy, 4, 1),
    "torch": (_drift.by_torch, 1, 1),
    "torch, 4 threads": (_drift.by_torch, 4, 1),
    "pandas": (_drift.by_pandas, 1, 1),
}


def of_memory(work: Callable[[], object], held: np.ndarray, threads: int) -> float:
    """Rate of the work as a share of plain reading with as many threads, turn by turn."""
    parts = np.array_split(held.reshape(-1).view(np.uint64), threads * 8)
    share = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(9):
            reading, _ = timed(partial(_largest, pool, parts), 1)
            working, _ = timed(work, 1)
            share.append(reading / working)
    return round(statistics.median(share), 3)


def in_ram(side: str, rows: np.memmap) -> dict[str, object]:
    work, threads, repeats = SIDES[side]
    count = min(len(rows), SAMPLED.get(side, len(rows)))
    held = np.array(rows[:count])
    work(held[:CHUNK], threads)  # imports and first calls are not timed
    wall, cpu = timed(lambda: work(held, threads), repeats)
    if side == "pandas":
        wall, cpu = _drift.pandas_seconds
    gb = held.nbytes / 1e9
    beside = (
        of_memory(partial(work, held, threads), held, threads) if repeats > 1 else None
    )
    sample = held[: min(count, CHECKED)]
    pairs = zip(work(sample, threads), in_numpy(sample, np.float64), strict=True)
    error = [float(np.abs(mine - exact).max()) for mine, exact in pairs]
    return {
        "patches_s": round(count / wall),
        "gb_s": round(gb / wall, 3),
        "gb_cpu_s": round(gb / cpu, 3),
        "of_memory": beside,
        "share": round(count / len(rows), 4),
        "error": {"drift": error[0], "z": error[1]},
    }


# Limits, and reading


def memory(rows: np.memmap) -> dict[str, object]:
    """How fast memory is read: the largest number of each of several pieces."""
    held = np.array(rows).view(np.uint64).reshape(-1)
    found: dict[str, object] = {}
    for threads in (1, 4):
        parts = np.array_split(held, threads * 8)
        with ThreadPoolExecutor(threads) as pool:
            wall, _ = timed(partial(_largest, pool, parts), 7)
        found[f"gb_s, {threads} threads"] = round(held.nbytes / wall / 1e9, 1)
    return found


def _largest(pool: ThreadPoolExecutor, parts: list[np.ndarray]) -> list[np.uint64]:
    return list(pool.map(np.max, parts))


def forget(folder: Path) -> None:
    """Ask the system to drop the pages of every file from its cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def disk(folder: Path, *, warm: bool = True) -> dict[str, float]:
    """Plain reads of the raw file from a cold and a warm cache, 4 at a time."""
    path = folder / "rows" / "rows.npy"
    size = path.stat().st_size
    step = 8 << 20

    def read(share: int) -> None:
        buffer = bytearray(step)
        with path.open("rb", buffering=0) as file:
            for at in range(share * step, size, 4 * step):
                file.seek(at)
                file.readinto(buffer)

    def whole() -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(read, range(4)))

    forget(path.parent)
    found = {"cold_gb_s": round(size / timed(whole, 1)[0] / 1e9, 2)}
    if warm:
        found["warm_gb_s"] = round(size / timed(whole, 3)[0] / 1e9, 2)
    return found


def stored(side: str, folder: Path) -> dict[str, object]:
    """Reading the optimized store alone, or reading and judging it."""
    from terradrift.store import series
    from terradrift.store.tables import Store

    store = Store.open(folder / "archive")
    dataset = store.dataset(f"embeddings_{MODEL}")
    d = dataset.schema.field("embedding").type.list_size
    gb = dataset.count_rows() * d * 2 / 1e9

    def scan() -> None:
        for _ in dataset.to_batches(columns=["embedding"], batch_size=2048):
            pass

    def read() -> None:
        for _ in series.blocks(store, MODEL, ahead=4):
            pass

    def judge() -> None:
        for block in series.blocks(store, MODEL, ahead=4):
            by_ours(block.vectors, 1)

    work = {"Lance scan": scan, "histories": read, "histories and drift": judge}[side]
    cold, plain = [], []
    for _ in range(3):
        forget(folder / "archive")
        cold.append(gb / timed(work, 1)[0])
        plain.append(float(disk(folder, warm=False)["cold_gb_s"]))
    wall, cpu = timed(work, 5)
    return {
        "cold_gb_s": round(max(cold), 2),
        "of_disk": round(max(cold) / max(plain), 2),
        "warm_gb_s": round(gb / wall, 2),
        "warm_gb_cpu_s": round(gb / cpu, 2),
    }


STORED = ("Lance scan", "histories", "histories and drift")


# Data


def pieces(options: argparse.Namespace) -> Iterator[np.ndarray]:
    """Histories with a season, noise, and a step in one patch of twenty; lengths are 1."""
    random = np.random.default_rng(options.seed)
    t, d = options.dates, options.dimensions
    pool = random.standard_normal((20 * t, d), dtype=np.float32) * (0.3 / d**0.5)
    phase = 2 * np.pi * np.arange(t)[:, None] / 24
    season = np.cos(phase) * pool[0] + np.sin(phase) * pool[1]
    for at in range(0, options.patches, CHUNK):
        count = min(CHUNK, options.patches - at)
        base = random.standard_normal((count, 1, d), dtype=np.float32) / d**0.5
        noise = pool[random.integers(0, len(pool), (count, t))]
        rows = base + season + noise
        changed = random.random(count) < 0.05
        rows[changed, 2 * t // 3 :] += 2 * pool[random.integers(0, len(pool))]
        rows /= np.linalg.norm(rows, axis=2, keepdims=True)
        yield rows.astype(np.float16)


def write(folder: Path, options: argparse.Namespace) -> None:
    """The same rows as a NumPy file and, for whole tiles of them, as an archive."""
    (folder / "rows").mkdir()
    shape = (options.patches, options.dates, options.dimensions)
    rows = np.lib.format.open_memmap(
        folder / "rows" / "rows.npy", "w+", np.float16, shape
    )
    at = 0
    for piece in pieces(options):
        rows[at : at + len(piece)] = piece
        at += len(piece)
    rows.flush()
    if any(side in STORED for side in options.sides):
        archive(folder / "archive", rows)


def archive(root: Path, rows: np.ndarray) -> None:
    """Unit by unit, as `embed` writes, then optimized."""
    import pyarrow as pa

    from terradrift import schema
    from terradrift.grid import TILE_PATCHES, Grid
    from terradrift.store import optimize
    from terradrift.store.tables import Settings, Store
    from terradrift.store.units import Writer

    per_tile = TILE_PATCHES**2
    d = rows.shape[2]
    columns = schema.embeddings(d, model=MODEL, revision="1")
    store = Store.create(root, Settings(Grid(160, 10.0)))
    with Writer(store, MODEL, columns) as writer:
        for tile, at in enumerate(range(0, len(rows) - per_tile + 1, per_tile)):
            name = f"32631_160m_{tile}_0"
            places = [divmod(k, TILE_PATCHES) for k in range(per_tile)]
            ids = [f"32631_160m_{tile * TILE_PATCHES + c}_{r}" for r, c in places]
            for day in range(rows.shape[1]):
                instant = np.datetime64("2018-01-01T10:30", "us")
                instant += np.timedelta64(day * 5, "D")
                vectors = rows[at : at + per_tile, day].ravel()
                arrays = [
                    pa.array(ids),
                    pa.array(np.full(per_tile, instant), schema.INSTANT),
                    pa.array([name] * per_tile),
                    pa.array([f"scene-{day}"] * per_tile),
                    *[pa.array(np.full(per_tile, 90.0, np.float32))] * 4,
                    pa.FixedSizeListArray.from_arrays(pa.array(vectors), d),
                    pa.array(["run"] * per_tile),
                ]
                batch = pa.RecordBatch.from_arrays(arrays, schema=columns)
                writer.add(name, (f"scene-{day}",), batch)
    optimize.optimize(store)


# Running


def work(side: str, folder: Path) -> dict[str, object]:
    if side in STORED:
        return stored(side, folder)
    if side == "disk":
        return disk(folder)
    rows = np.load(folder / "rows" / "rows.npy", mmap_mode="r")
    return memory(rows) if side == "memory" else in_ram(side, rows)


def main() -> None:
    every = ["memory", "disk", *SIDES, *STORED]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, default=20_000)
    parser.add_argument("--dates", type=int, default=60)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sides", nargs="+", choices=every, default=every)
    parser.add_argument("--folder", type=Path, help="where the rows are kept for a run")
    parser.add_argument("--side", choices=every, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(work(options.side, options.folder)))
        return
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "numpy": np.__version__,
        "pylance": version("pylance"),
        "patches": options.patches,
        "dates": options.dates,
        "dimensions": options.dimensions,
    }
    print(json.dumps(about), flush=True)
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        write(folder, options)
        for side in options.sides:
            threads = SIDES[side][1] if side in SIDES else 4
            ran = subprocess.run(
                [sys.executable, __file__, "--side", side, "--folder", str(folder)],
                env=os.environ
                | dict.fromkeys(
                    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
                ),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            print(json.dumps({"side": side, **json.loads(ran.stdout)}), flush=True)


if __name__ == "__main__":
    main()
