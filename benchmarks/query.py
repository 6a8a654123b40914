"""Searches and SQL over a Lance archive, beside the same answers got otherwise.

    python benchmarks/query.py [--rows 1000000] [--dimensions 384] [--threads 2]

Prints one JSON line per task and way: median seconds of `--runs`, and whether the rows are
those of plain numpy (searches) or of DuckDB's own table (SQL). Vectors are random and unit
length around 200 centres; rows are sorted by tile as an optimised archive is. The filter
(a box and a period) leaves 1 % of the rows and does not depend on the vectors.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from _vectors import changes
from threadpoolctl import threadpool_limits

from terradrift import schema
from terradrift.grid import Grid
from terradrift.query import lance_scan
from terradrift.query.search.similar import similar
from terradrift.query.sql.ask import connect
from terradrift.store.tables import Settings, Store

SEED = 7
BLOCK = 50_000
SIDE = 1000
BOX = (3.0, 50.0, 3.95, 51.0)
PERIOD = ("2018-03-01", "2018-04-05")
WHERE = "in_bbox(bbox, 3.0, 50.0, 3.95, 51.0) AND onset >= '2018-03-01' AND onset < '2018-04-06'"
TOP = """
    SELECT change_id, score FROM changes WHERE {}
    ORDER BY score DESC, change_id LIMIT 100
"""
SEARCH = """
    SELECT change_id FROM {} {}
    ORDER BY array_cosine_distance(delta, $vector::FLOAT[{}]), change_id LIMIT {}
"""


def block(start: int, count: int, rows: int, dimensions: int) -> pa.Table:
    rng = np.random.default_rng(SEED + start)
    centres = np.random.default_rng(SEED).normal(size=(200, dimensions))
    values = centres[rng.integers(0, 200, count)] + rng.normal(size=(count, dimensions))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    index = np.arange(start, start + count)
    # The box of the filter holds a tenth of the rows, the period a tenth of those.
    west, south = 3.0 + index * 100 // rows * 0.1, 50.0 + index % SIDE / SIDE
    onset = np.datetime64("2018-01-01", "us") + rng.integers(0, 365, count).astype(
        "m8[D]"
    )
    tile = index // (SIDE * 10)
    half = values.astype(np.float16)
    return changes(
        index, tile, west=west, south=south, onset=onset, vectors=half, rng=rng
    )


def build(path: Path, rows: int, dimensions: int) -> Store:
    store = Store.create(path, Settings(Grid(160), model="bench"))

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, BLOCK):
            yield from block(
                start, min(BLOCK, rows - start), rows, dimensions
            ).to_batches()

    store.append("changes_bench", batches(), schema.changes(dimensions))
    return store


def timed(run: Callable[[], list[str]], runs: int) -> tuple[float, list[str]]:
    run()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        answer = run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), answer


class Numpy:
    """Vectors as float32 in memory, and the columns of the filter."""

    def __init__(self, store: Store) -> None:
        table = store.dataset("changes_bench")
        names = ["change_id", "onset", "bbox", "delta"]
        shown = lance_scan.FloatDataset(table)
        rows = table.to_table(columns=shown.projection(names))
        self.ids = np.array(rows["change_id"].to_pylist())
        flat = rows["delta"].combine_chunks().values.to_numpy()
        self.vectors = flat.reshape(rows.num_rows, -1)
        self.norms = np.linalg.norm(self.vectors, axis=1)
        box = rows["bbox"].combine_chunks()
        west, south, east, north = (box.field(i).to_numpy() for i in range(4))
        onset = rows["onset"].to_numpy()
        self.inside = (
            (west <= BOX[2]) & (east >= BOX[0]) & (south <= BOX[3]) & (north >= BOX[1])
        )
        self.inside &= (onset >= np.datetime64("2018-03-01")) & (
            onset < np.datetime64("2018-04-06")
        )

    def search(self, vector: np.ndarray, k: int, keep: np.ndarray | None) -> list[str]:
        rows = slice(None) if keep is None else np.flatnonzero(keep)
        vectors, ids = self.vectors[rows], self.ids[rows]
        distance = 1 - vectors @ vector / self.norms[rows]
        best = np.argpartition(distance, k)[:k]
        return ids[best[np.lexsort((ids[best], distance[best]))]].tolist()


def searches(store: Store, dimensions: int, threads: int, runs: int) -> Iterator[dict]:
    plain = Numpy(store)
    over_lance = connect(store, threads=threads)
    native = duckdb.connect(config={"threads": threads})
    rows = over_lance.sql("SELECT change_id, onset, bbox, score, delta FROM changes")
    native.register("given", rows.to_arrow_table())
    native.execute("CREATE TABLE changes AS FROM given")
    native.unregister("given")
    native.execute(
        "CREATE MACRO in_bbox(b, w, s, e, n) AS b.xmin <= e AND b.xmax >= w AND b.ymin <= n AND b.ymax >= s"
    )
    vector = np.random.default_rng(SEED + 1).normal(size=dimensions).astype(np.float32)
    vector /= np.linalg.norm(vector)
    for k in (10, 1000):
        for name, keep, where in (
            ("all rows", None, ""),
            ("1 % of rows", plain.inside, f"WHERE {WHERE}"),
        ):
            conditions = {"bbox": BOX, "between": PERIOD} if where else {}
            query = SEARCH.format("changes", where, dimensions, k)
            value = {"vector": vector.tolist()}
            ways: dict[str, Callable[[], list[str]]] = {
                "numpy in memory": lambda keep=keep, k=k: plain.search(vector, k, keep),
                "similar()": lambda c=conditions, k=k: (
                    similar(store, vector=vector, k=k, threads=threads, **c)
                    .to_arrow()["change_id"]
                    .to_pylist()
                ),
                "DuckDB over Lance": lambda q=query, v=value: [
                    i for (i,) in over_lance.execute(q, v).fetchall()
                ],
                "DuckDB native": lambda q=query, v=value: [
                    i for (i,) in native.execute(q, v).fetchall()
                ],
            }
            with threadpool_limits(threads):
                answers = {way: timed(run, runs) for way, run in ways.items()}
            expected = answers["numpy in memory"][1]
            for way, (seconds, ids) in answers.items():
                yield {
                    "task": f"nearest {k}, {name}",
                    "way": way,
                    "seconds": round(seconds, 4),
                    "same_rows": len(set(ids) & set(expected)) / len(expected),
                }
    expected_top: list[str] = []
    for way, connection in (
        ("DuckDB native", native),
        ("DuckDB over Lance", over_lance),
    ):
        run = lambda c=connection: c.execute(TOP.format(WHERE)).fetchall()  # noqa: E731
        seconds, answer = timed(run, runs)
        expected_top = expected_top or answer
        same = len(set(answer) & set(expected_top)) / len(expected_top)
        yield {
            "task": "SQL: top 100 score in box and period",
            "way": way,
            "seconds": round(seconds, 4),
            "same_rows": same,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(
        json.dumps(
            {
                "machine": platform.processor() or platform.machine(),
                "cores": os.cpu_count(),
                "load": os.getloadavg()[0],
                **vars(options),
            }
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        store = build(Path(folder) / "bench.td", options.rows, options.dimensions)
        print(
            json.dumps(
                {"task": "build", "seconds": round(time.perf_counter() - start, 1)}
            )
        )
        for line in searches(store, options.dimensions, options.threads, options.runs):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
