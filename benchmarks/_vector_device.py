"""`search.py --device`: one exact pass over rows that lie on a device, beside a plain copy there.

    python benchmarks/_vector_device.py cuda 10000000 384

The rate of a pass is bytes of rows by the time until the candidates are known; that of the
copy counts reads and writes. Answers are compared with those of the processor.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import _vectors as vectors
import numpy as np
from numpy.typing import NDArray

from terradrift.query.index import exact
from terradrift.query.index.flat import Flat
from terradrift.query.index.frame import Frame
from terradrift.query.index.rows import lengths_of
from terradrift.query.search import gpu
from terradrift.query.search.nearest import Query
from terradrift.threads import available

RUNS = 20
COPIED = 1 << 30
COLUMNS = ("delta",)


def rows_of(rows: int, dimensions: int) -> exact.Vectors:
    """The rows of the set, in memory."""
    matrix = np.empty((rows, dimensions), np.float16)
    lengths = np.empty(rows, np.float32)
    mixture = vectors.Mixture("low-rank", dimensions)

    def draw(start: int) -> None:
        to = slice(start, min(start + vectors.BLOCK, rows))
        matrix[to] = mixture.draw(to.stop - start, seed=start)
        lengths[to] = lengths_of(matrix[to])

    with ThreadPoolExecutor(available()) as pool:
        list(pool.map(draw, range(0, rows, vectors.BLOCK)))
    frame = Frame(COLUMNS, dimensions, None)
    return exact.Vectors(frame, [Flat(matrix, lengths)], lengths)


def seconds(run: Callable[[], Any], device: str) -> float:
    import torch

    spent = []
    for turn in range(RUNS + 2):
        start = time.perf_counter()
        run()
        if device != "cpu":
            torch.cuda.synchronize(device)
        if turn >= 2:
            spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def copy_rate(device: str) -> float:
    """GB/s, read and written, of a copy within the device."""
    import torch

    given = torch.ones(COPIED, dtype=torch.uint8, device=device)
    taken = torch.empty_like(given)
    return 2 * COPIED / seconds(lambda: taken.copy_(given), device) / 1e9


def measured(device: str, rows: int, dimensions: int) -> Iterator[dict[str, Any]]:
    held = rows_of(rows, dimensions)
    queries = [
        Query(COLUMNS, one[None], ("change_id",))
        for one in vectors.queries("low-rank", dimensions)[:64]
    ]
    size = rows * dimensions * 2
    everything = np.array([[0, rows]])
    yield {"task": "copy on the device", "gb_per_s": round(copy_rate(device), 1)}
    # On the processor rows are told to stay too, or each pass would copy them.
    place = gpu.Place(device, 4 * size if device == "cpu" else None)
    start = time.perf_counter()
    place.candidates(held, queries[:1], 10, everything)
    loading = time.perf_counter() - start
    resident = place.held_bytes >= size
    yield {"task": "first pass", "seconds": round(loading, 3), "resident": resident}

    def passed(many: int, k: int) -> list[NDArray[np.int64]]:
        return place.candidates(held, queries[:many], k, everything)

    for many, k in ((1, 10), (1, 1000), (1, 100_000), (4, 10), (16, 10), (64, 10)):
        if k > rows:
            continue
        spent = seconds(lambda many=many, k=k: passed(many, k), device)
        yield {
            "task": f"pass, {many} queries, k = {k:,}",
            "ms": round(spent * 1e3, 3),
            "gb_per_s": round(size / spent / 1e9, 1),
            "candidates": len(passed(many, k)[0]),
        }
    for k in (10, 1000):
        own = [passed(1, k)[0] for _ in range(3)]
        start = time.perf_counter()
        for near in own:
            exact.measure(held, queries[0], near, k)
        spent = (time.perf_counter() - start) / len(own)
        yield {"task": f"float64 of candidates, k = {k:,}", "ms": round(spent * 1e3, 3)}
    same = []
    for query in queries[:5]:
        found = exact.measure(
            held, query, place.candidates(held, [query], 10, everything)[0], 10
        )
        wanted = exact.search(held, query, 10, everything, available())
        same.append(set(zip(*found, strict=True)) == set(zip(*wanted, strict=True)))
    yield {"task": "same as the processor", "queries": len(same), "same": sum(same)}


if __name__ == "__main__":
    for line in measured(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])):
        print(json.dumps(line), flush=True)
