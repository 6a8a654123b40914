"""Whole searches by example: CPU of `similar` for each kind of question of docs/search.md.

    python benchmarks/similar.py [--rows 1000000] [--dimensions 384] [--threads 2]

The archive of `search.py` with an index and the scalar indexes of `terradrift optimize`. Each
question is asked of `--asked` examples after two that warm it, in one process. Prints JSON
lines: median CPU milliseconds with all columns and with `change_id` alone, the rows that the
answers have, and how the last one was got. CPU is of all threads.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _vectors as vectors
import numpy as np
import pyarrow as pa
import shapely

from terradrift import schema
from terradrift.grid import Grid
from terradrift.query.index import build
from terradrift.query.search.similar import similar
from terradrift.store import optimize
from terradrift.store.tables import Settings, Store

WARM = 2
CORNERS = 257
PLACE = (3.2, 50.45)
"""Middle of the polygon, degrees; its radius is chosen so that about 5 % of rows pass."""
RADIUS = 0.25


def archive(path: Path, rows: int, dimensions: int) -> Store:
    """Changes, by place and day."""
    store = Store.create(path, Settings(Grid(160), model="bench"))

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for block in vectors.blocks("low-rank", rows, dimensions):
            here = np.arange(start, start + len(block))
            yield from vectors.archived(block, here, rows).to_batches()
            start += len(block)

    store.append(vectors.TABLE, batches(), schema.changes(dimensions))
    return store


def questions(rows: int, dimensions: int, at: int) -> dict[str, dict[str, Any]]:
    """Arguments of `similar` for the `at`-th example, by the question's name."""
    numbers = {"vector": vectors.queries("low-rank", dimensions)[at]}
    change = {"change": vectors.change_id((at * 7919 + 11) % rows)}
    filtered = vectors.conditions("1 %")
    polygon = shapely.Point(PLACE).buffer(RADIUS, quad_segs=(CORNERS - 1) // 4)
    return {
        "numbers, k = 10": numbers,
        "numbers, box and period that leave 1 %": {**numbers, **filtered},
        "a change, k = 10": change,
        "the same, box and period that leave 1 %": {**change, **filtered},
        "the same and a kind, which leave 0.05 %": {**change, **filtered, "kind": 3},
        "a change, exact=True": {**change, "exact": True},
        "the same, exclude_radius=5km": {**change, "exclude_radius": "5km"},
        "a kind that leaves 5 %": {**change, "kind": 3},
        "a polygon of 257 corners": {**change, "within": polygon},
        "k = 1,000": {**change, "k": 1_000},
        "k = 10,000": {**change, "k": 10_000},
        "like_kind": {"like_kind": 3 + at % 2},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--asked", type=int, default=15)
    parser.add_argument(
        "--keep", type=Path, help="Folder to make the archive in, or to use."
    )
    options = parser.parse_args()
    print(
        json.dumps(
            {"cores": os.cpu_count(), "load": os.getloadavg()[0], "rows": options.rows}
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        path = (options.keep or Path(folder)) / "bench.td"
        if path.exists():
            store = Store.open(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            store = archive(path, options.rows, options.dimensions)
            optimize.optimize(store)
            build.build(
                store,
                vectors.TABLE,
                ("delta",),
                None,
                threads=options.threads,
                quiet=True,
            )
        for line in measured(store, options):
            print(json.dumps(line), flush=True)


def measured(store: Store, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A line for each question."""
    count = options.asked + WARM
    asked = [questions(options.rows, options.dimensions, at) for at in range(count)]
    for name in asked[0]:
        line: dict[str, Any] = {"question": name}
        for key, columns in (("cpu_ms", None), ("cpu_ms_of_one_column", ["change_id"])):
            spent = []
            for each in asked:
                start = time.process_time()
                found = similar(
                    store, **each[name], columns=columns, threads=options.threads
                )
                spent.append(time.process_time() - start)
            line[key] = round(1000 * statistics.median(spent[WARM:]), 1)
        yield {**line, "found": len(found), "plan": found.plan}


if __name__ == "__main__":
    main()
