"""Vector search: our index and exact scans beside LanceDB, FAISS, DuckDB and NumPy.

    python benchmarks/search.py [--rows 100000] [--dimensions 384] [--set low-rank]
    python benchmarks/search.py --rows 1000000 --engines index,similar,lance-pq,faiss-sq8
    python benchmarks/search.py --rows 10000000 --out-of-core        # 20 GB of disk, minutes
    python benchmarks/search.py --rows 10000000 --device cuda

The same rows for all, in the order of an optimised archive (region, then day). Each engine is
built, searched, opened anew and added to in processes of its own, one after the other; a query
runs on one thread, builds on `--threads`. The truth is float64 brute force over the stored
float16 vectors. Prints JSON lines, then tables; a ratio is CPU per query, over that of the
cheapest setting of LanceDB (or FAISS) with an index and at least the recall asked for.
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _vector_outofcore
import _vectors as vectors
from _vector_jobs import ENGINES, WRITTEN, child

from terradrift.threads import available

RECALL = 0.98
COLUMNS = (
    ("k = 10", "recall"),
    ("k = 10", "cpu_ms"),
    ("k = 10", "p50_ms"),
    ("k = 10", "p99_ms"),
    ("k = 100", "recall"),
    ("k = 1,000", "recall"),
    ("k = 1,000", "cpu_ms"),
    ("batch", "cpu_ms"),
    ("filter 1 %", "recall"),
    ("filter 1 %", "cpu_ms"),
    ("filter 1 %", "p99_ms"),
    ("filter 10 %", "recall"),
    ("filter 10 %", "cpu_ms"),
    ("filter 50 %", "recall"),
    ("filter 50 %", "cpu_ms"),
    ("k = 10,000", "recall"),
    ("k = 10,000", "p50_ms"),
    ("k = 100,000", "recall"),
    ("k = 100,000", "p50_ms"),
)

Line = dict[str, Any]


def megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    return round(sum(f.stat().st_size for f in files) / 1e6, 1)


def kept_of(name: str, folder: Path) -> list[Path]:
    """What the build of an engine left."""
    paths = [folder / file for file in ENGINES[name](folder, 1).files]
    return [path for path in paths if path.exists()]


def remove(name: str, folder: Path) -> None:
    for path in kept_of(name, folder):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def measured(name: str, folder: Path, threads: int) -> Iterator[Line]:
    """All lines of one engine."""
    lines, cost = child("build", name, str(folder), threads=threads)
    size = sum(megabytes(path) for path in kept_of(name, folder))
    yield {"task": "build", **cost, "disk_mb": round(size, 1)}
    yield from lines
    for job in ("search", "first", "written")[: 3 if ENGINES[name].grows else 2]:
        lines, cost = child(job, name, str(folder), threads=1)
        yield from lines
        yield {"task": f"process of {job}", **cost}


def tables(lines: list[Line]) -> str:
    """Markdown: one row per engine and setting, and one per engine for what it costs to have."""
    by_way: dict[tuple[str, str], dict[str, Line]] = {}
    by_engine: dict[str, dict[str, Line]] = {}
    for line in lines:
        if "engine" not in line or "task" not in line:
            continue
        if "way" in line and "found" not in line:
            key = (line["engine"], line["way"])
            by_way.setdefault(key, {})[line["task"]] = line
        else:
            by_engine.setdefault(line["engine"], {})[line["task"]] = line
    floors = {peer: cheapest(by_way, peer) for peer in ("lance-", "faiss-")}
    head = ["engine", "setting", *(f"{t}: {c}" for t, c in COLUMNS)]
    head += ["LanceDB / this", "FAISS / this"]
    rows = [head, ["---"] * len(head)]
    for (engine, way), tasks in by_way.items():
        cells = [str(tasks.get(task, {}).get(name, "-")) for task, name in COLUMNS]
        own = tasks["k = 10"]["cpu_ms"]
        cells += [f"{floor / own:.2f}" if floor else "-" for floor in floors.values()]
        rows.append([engine, way, *cells])
    later = f"{WRITTEN:,} rows written later"
    more = [
        ("build", "wall_s"),
        ("build", "cpu_s"),
        ("build", "peak_anon_mb"),
        ("build", "disk_mb"),
        ("memory", "RssAnon"),
        ("memory", "RssFile"),
        ("first search of a process", "from_start_s"),
        ("first search of a process", "open_and_search_s"),
        (later, "found"),
        (later, "cpu_ms"),
        ("process of search", "other_cores"),
    ]
    head = ["engine", *(f"{task}: {name}" for task, name in more)]
    held = [head, ["---"] * len(head)]
    for engine, tasks in by_engine.items():
        cells = [str(tasks.get(task, {}).get(name, "-")) for task, name in more]
        held.append([engine, *cells])
    return "\n\n".join(
        "\n".join(f"| {' | '.join(row)} |" for row in part) for part in (rows, held)
    )


def cheapest(by_way: dict[tuple[str, str], dict[str, Line]], peer: str) -> float | None:
    """CPU ms a query of the peer's cheapest setting that reaches `RECALL` by an index."""
    costs = [
        tasks["k = 10"]["cpu_ms"]
        for (engine, _), tasks in by_way.items()
        if engine.startswith(peer)
        and not ENGINES[engine].exact
        and tasks["k = 10"]["recall"] >= RECALL
    ]
    return min(costs, default=None)


def compare(
    asked: argparse.Namespace, folder: Path, about: dict[str, Any]
) -> list[Line]:
    vectors.made(folder, about, flat=True)
    archive = megabytes(folder / "bench.td")
    lines: list[Line] = [{"task": "archive", "disk_mb": archive}]
    print(json.dumps(lines[0]), flush=True)
    for name in asked.engines.split(","):
        remove(name, folder)
        for line in measured(name, folder, asked.threads):
            lines.append({"engine": name, **line})
            print(json.dumps(lines[-1]), flush=True)
        remove(name, folder)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--set", choices=vectors.SETS, default="low-rank")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work; default: temporary")
    parser.add_argument("--data", type=Path, help="make the rows here, once, and keep")
    parser.add_argument("--out-of-core", action="store_true")
    parser.add_argument("--device", help="cuda, or cpu to try it: the pass on a device")
    asked = parser.parse_args()
    machine = platform.processor() or platform.machine()
    about = {"machine": machine, "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    print(json.dumps({**about, **vars(asked)}, default=str), flush=True)
    if asked.device:
        words = (asked.device, str(asked.rows), str(asked.dimensions))
        threads = 1 if asked.device == "cpu" else available()
        lines, _ = child(*words, threads=threads, script=beside("_vector_device"))
        print("\n".join(map(json.dumps, lines)))
        return
    rows = {"set": asked.set, "rows": asked.rows, "dimensions": asked.dimensions}
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
        folder = asked.data or Path(scratch) / "data"
        if asked.out_of_core:
            for line in _vector_outofcore.run(rows, folder, asked.threads):
                print(json.dumps(line), flush=True)
        else:
            print(f"\n{tables(compare(asked, folder, rows))}")


def beside(name: str) -> str:
    return str(Path(__file__).with_name(f"{name}.py"))


if __name__ == "__main__":
    main()
