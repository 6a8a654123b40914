"""`search.py --out-of-core`: an index built and searched while memory is watched.

The archive and the truth are made in one pass over the rows, which are nowhere whole. Then
the index is built, and searched, each in a process whose own memory (`RssAnon`) is sampled.
Pages of mapped files are the kernel's to drop: they are told apart, and a search is timed
once more after they were dropped (`posix_fadvise`), when it reads from the disk.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _vectors as vectors
import numpy as np
from _vector_jobs import child, recall, status, timed
from _vector_ours import Index, Similar

BOUND_MB = 4000


def drop(folder: Path) -> None:
    """Ask the kernel to forget the pages of all files in the folder."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            opened = os.open(path, os.O_RDONLY)
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(opened)


def run(about: dict[str, Any], folder: Path, threads: int) -> Iterator[dict[str, Any]]:
    start, cpu = time.perf_counter(), time.process_time()
    vectors.made(folder, about, flat=False)
    yield {
        "task": "rows, archive and truth",
        "wall_s": round(time.perf_counter() - start),
        "cpu_s": round(time.process_time() - cpu),
    }
    lines, cost = child("build", "index", str(folder), threads=threads)
    size = sum(f.stat().st_size for f in (folder / "bench.td" / "index").glob("*"))
    within = cost["peak_anon_mb"] <= BOUND_MB
    yield from lines
    yield {"task": "build", **cost, "index_mb": size // 10**6, "within": within}
    script = str(Path(__file__).resolve())
    lines, cost = child(str(folder), script=script, threads=1)
    yield from lines
    within = cost["peak_anon_mb"] <= BOUND_MB
    yield {"task": "searches", **cost, "within": within}


def searched(folder: Path) -> Iterator[dict[str, Any]]:
    truth = np.load(folder / "truth.npz")["all"]
    asked = np.load(folder / "queries.npy")
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    drop(folder / "bench.td")
    index = Index(folder, 1)
    start = time.perf_counter()
    index.open()
    index.search(asked[-1], 10, "", "")
    cold = time.perf_counter() - start
    yield {"task": "open and first search, nothing cached", "seconds": round(cold, 3)}
    count = len(truth)
    engines = {"index, from the disk": index, "index": index}
    engines["similar"] = Similar(folder, 1)
    engines["similar"].open()
    for name, engine in engines.items():
        for k, many in ((10, count), (100, 50), (1000, 20)):
            found, cost = timed(
                lambda at, k=k, engine=engine: engine.search(
                    asked[at], k, "vector", ""
                ),
                many,
                seconds=20,
            )
            rows = [engine.decode(one) for one in found]
            share = round(recall(rows, truth, k), 4)
            yield {"engine": name, "task": f"k = {k:,}", "recall": share, **cost}
    yield {"task": "memory", **status()}


if __name__ == "__main__":
    for line in searched(Path(sys.argv[1])):
        print(json.dumps(line), flush=True)
