"""What `search.py` does in processes of their own: build, search, first search, rows written later.

A child prints JSON lines. CPU is that of its whole process, whatever threads it used. Pages of
files are warm: what was just written or read is in the page cache.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _vectors as vectors
import numpy as np
from _vector_engine import Engine
from _vector_ours import OURS
from _vector_peers import ENGINES as PEERS

ENGINES: dict[str, type[Engine]] = {**OURS, **PEERS}
SECONDS = 4.0
"""A task stops after so long, but not before `FEWEST` queries."""
FEWEST = 5
BATCH = 256
WRITTEN = 2000
"""Rows written after the build; the first `PLANTED` of them are queries."""
PLANTED = 20
LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "LANCE_CPU_THREADS",
)
SAMPLE_SECONDS = 0.02


def status(pid: int | str = "self") -> dict[str, int]:
    """Resident memory of a process in MB: `RssAnon` is its own, `RssFile` mapped files."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in {"VmRSS", "RssAnon", "RssFile"}:
            found[name] = int(value.split()[0]) // 1024
    return found


def child(
    *words: str, threads: int, script: str = __file__
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Run a job of a file; its lines, and its seconds, CPU seconds and most memory (MB)."""
    environment = {**os.environ, **dict.fromkeys(LIMITS, str(threads))}
    began, busy = time.perf_counter(), _busy()
    running = subprocess.Popen(
        [sys.executable, script, *words, str(threads), repr(time.time())],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    most = {"RssAnon": 0, "VmRSS": 0}
    while (
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    ):
        now = status(running.pid)
        most = {name: max(value, now.get(name, 0)) for name, value in most.items()}
        time.sleep(SAMPLE_SECONDS)
    _, code, used = os.wait4(running.pid, 0)
    running.returncode = code
    assert running.stdout
    lines = [json.loads(line) for line in running.stdout]
    if code:
        lines.append({"error": f"{' '.join(words)} ended with status {code}"})
    wall = time.perf_counter() - began
    cpu = used.ru_utime + used.ru_stime
    return lines, {
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "peak_anon_mb": most["RssAnon"],
        "peak_rss_mb": most["VmRSS"],
        "other_cores": round(max(0.0, (_busy() - busy - cpu) / wall), 2),
    }


def _busy() -> float:
    """CPU seconds of the whole machine so far, without waiting."""
    ticks = [int(x) for x in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def recall(found: list[np.ndarray], truth: np.ndarray, k: int) -> float:
    pairs = zip(found, truth, strict=False)
    return float(np.mean([len(np.intersect1d(f, t[:k])) / k for f, t in pairs]))


def timed(
    run: Callable[[int], np.ndarray], count: int, seconds: float = SECONDS
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Answers to the first `count` queries, as many as there was time for, and their cost."""
    run(0)
    found, spent, cpu = [], [], time.process_time()
    for at in range(count):
        start = time.perf_counter()
        found.append(run(at))
        spent.append(time.perf_counter() - start)
        if at + 1 >= FEWEST and sum(spent) > seconds:
            break
    cpu = time.process_time() - cpu
    p50, p99 = np.percentile(spent, [50, 99]) * 1e3
    return found, {
        "queries": len(found),
        "cpu_ms": round(cpu / len(found) * 1e3, 3),
        "p50_ms": round(p50, 3),
        "p99_ms": round(p99, 3),
    }


def searches(engine: Engine, folder: Path) -> Iterator[dict[str, Any]]:
    truth = dict(np.load(folder / "truth.npz"))
    asked = np.load(folder / "queries.npy")
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    engine.open()
    for name in vectors.FILTERS:
        engine.ready(name)
    tasks = [("all", "", k, count) for k, count in ((10, 200), (100, 50), (1000, 50))]
    tasks += [(name, name, 10, 200) for name in vectors.FILTERS]
    deep = truth["deep"].shape[1]
    tasks += [("deep", "", k, vectors.DEEP) for k in (10_000, 100_000) if k <= deep]
    for way in (*engine.ways, *engine.others):
        for which, name, k, count in tasks if way in engine.ways else tasks[:1]:
            found, cost = timed(
                lambda at, k=k, way=way, name=name: engine.search(
                    asked[at], k, way, name
                ),
                count,
            )
            task = f"filter {name}" if name else f"k = {k:,}"
            rows = [engine.decode(one) for one in found]
            # The nearest of changes that the engine chose itself are not known.
            share = None if way == "change" else round(recall(rows, truth[which], k), 4)
            yield {"way": way, "task": task, "recall": share, **cost}
        if way in engine.ways:
            yield from batches(engine, way, asked, truth["all"])
    yield {"task": "memory", **status()}


def batches(
    engine: Engine, way: str, asked: np.ndarray, truth: np.ndarray
) -> Iterator[dict[str, Any]]:
    engine.batch(asked[:8], 10, way)
    cpu, start = time.process_time(), time.perf_counter()
    found = engine.batch(asked[:BATCH], 10, way)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    if found is not None:
        yield {
            "way": way,
            "task": "batch",
            "recall": round(recall(found, truth, 10), 4),
            "queries": BATCH,
            "cpu_ms": round(cpu / BATCH * 1e3, 3),
            "per_second": round(BATCH / wall),
        }


def first(engine: Engine, folder: Path, began: float) -> Iterator[dict[str, Any]]:
    asked = np.load(folder / "queries.npy")
    opening = time.perf_counter()
    engine.open()
    engine.search(asked[0], 10, engine.ways[0], "")
    yield {
        "task": "first search of a process",
        "from_start_s": round(time.time() - began, 3),
        "open_and_search_s": round(time.perf_counter() - opening, 3),
    }


def written(engine: Engine, folder: Path) -> Iterator[dict[str, Any]]:
    """Whether rows written after the build are found: copies of queries, as nearest."""
    about = json.loads((folder / "about.json").read_text())
    rows, dimensions = about["rows"], about["dimensions"]
    asked = np.load(folder / "queries.npy")
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    new = vectors.Mixture(about["set"], dimensions).draw(WRITTEN, seed=2**41)
    new = new.astype(np.float32)
    new[:PLANTED] = asked[-PLANTED:]
    engine.open()
    start = time.perf_counter()
    engine.add(new, rows)
    wall = time.perf_counter() - start
    way = engine.ways[0]
    found, cost = timed(
        lambda at: engine.search(asked[-PLANTED + at], 10, way, ""), PLANTED
    )
    engine.undo()
    nearest = [engine.decode(f)[0] == rows + at for at, f in enumerate(found)]
    share = round(float(np.mean(nearest)), 3)
    task = f"{WRITTEN:,} rows written later"
    yield {"task": task, "way": way, "write_s": round(wall, 3), "found": share, **cost}


def main() -> None:
    job, name, place, threads, began = sys.argv[1:]
    folder = Path(place)
    engine = ENGINES[name](folder, int(threads))
    jobs: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "search": lambda: searches(engine, folder),
        "first": lambda: first(engine, folder, float(began)),
        "written": lambda: written(engine, folder),
    }
    if job == "build":
        engine.build()
        return
    for line in jobs[job]():
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
