"""SQL over 5 million observations, beside the same rows kept otherwise.

    python benchmarks/sql.py [--patches 100000] [--dates 50] [--threads 2] [--folder DIR]

Builds an archive straight into its tables (`_sql_archive.py`), its files of columns, and of
the same rows a flat DuckDB table (one row per observation, place and all, along a Hilbert
curve), GeoParquet in that order and GeoParquet shuffled. Each way answers in a process of
its own: `columns` through `Archive.sql`'s own path with everything it checks, `lance` the
same views without the files. Prints one JSON line per question and way (median milliseconds,
CPU milliseconds, whether the rows are those of the DuckDB table), then a table of ratios.
Polygons are 200 outlines of 120 vertices, or those of `--outlines` moved to 200 places in
the archive; `naive` joins every row with them.
"""

# ruff: noqa: S608 - questions of our own

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _sql_archive as archive
import duckdb
import numpy as np
import shapely
from shapely import affinity

from terradrift.query.sql import ask, sandbox
from terradrift.store.tables import Store

WAYS = ("native", "ordered", "shuffled", "lance", "columns")
BOX = (
    "in_bbox(bbox, 3.2, 50.1, 3.24, 50.13) "
    "AND datetime >= '2021-01-01' AND datetime < '2021-07-01'"
)
ZONES = (
    "(SELECT id, ST_GeomFromGeoJSON(outline) AS zone FROM "
    "(SELECT unnest(range(len($zones::VARCHAR[]))) AS id, "
    "unnest($zones::VARCHAR[]) AS outline))"
)
NAIVE = f"""
    SELECT id, count(*), avg(drift) FROM {ZONES}
    JOIN scores ON ST_Intersects(geometry, zone) GROUP BY id ORDER BY id
"""
PER_PATCH = f"""
    WITH per_patch AS (
        SELECT patch_id, count(*) AS n, sum(drift) AS total FROM scores GROUP BY patch_id
    )
    SELECT id, sum(n), sum(total) / sum(n) FROM {ZONES}
    JOIN patches ON ST_Intersects(geometry, zone) JOIN per_patch USING (patch_id)
    GROUP BY id ORDER BY id
"""
QUESTIONS = {
    "top 100 drift in a box and half a year": f"""
        SELECT patch_id, datetime, drift FROM scores WHERE {BOX}
        ORDER BY drift DESC, patch_id, datetime LIMIT 100
    """,
    "count by month and reason": """
        SELECT month_of(datetime), reason, count(*) FROM scores GROUP BY ALL ORDER BY ALL
    """,
    "count changes by month and kind": """
        SELECT month_of(onset), kind, count(*) FROM changes GROUP BY ALL ORDER BY ALL
    """,
    "series of one patch": """
        SELECT datetime, drift FROM scores WHERE patch_id = '32631_160m_100_100'
        ORDER BY datetime
    """,
    "reason against that of the date before": """
        SELECT count(*) FROM (
            SELECT reason, lag(reason) OVER (PARTITION BY patch_id ORDER BY datetime) AS last
            FROM scores
        ) WHERE last IS DISTINCT FROM reason
    """,
    "drift in one polygon": """
        SELECT count(*), avg(drift) FROM scores WHERE within(geometry, $zone)
    """,
    "drift in 200 polygons, naive": NAIVE,
    "drift in 200 polygons, per patch first": PER_PATCH,
}
SLOW = ("naive", "date before")
FLAT = ("native", "ordered", "shuffled")
"""Ways without a table of patches: they have the naive question alone."""


def outlines(of: Path | None, count: int = 200) -> list[str]:
    """Shapes in the archive's place, as GeoJSON: made up, or moved there from a file."""
    if of is None:
        return irregular(count)
    features = json.loads(of.read_text())["features"]
    shapes = [shapely.from_geojson(json.dumps(one["geometry"])) for one in features]
    rng = np.random.default_rng(archive.SEED)
    found = []
    for at in range(count):
        shape = shapes[at % len(shapes)]
        west, south, _, _ = shape.bounds
        by = rng.uniform(3.02, 3.6) - west, rng.uniform(50.02, 50.36) - south
        moved = affinity.translate(shape, *by)
        found.append(shapely.to_geojson(shapely.make_valid(moved)))
    return found


def irregular(count: int, vertices: int = 120) -> list[str]:
    """Shapes of some 100 patches each."""
    rng = np.random.default_rng(archive.SEED)
    turn = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    found = []
    for _ in range(count):
        waves = [
            rng.normal(0, 0.25 / k) * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
            for k in range(2, 12)
        ]
        radius = rng.uniform(0.005, 0.02) * np.clip(1 + sum(waves), 0.2, None)
        x, y = rng.uniform(3.02, 3.68), rng.uniform(50.02, 50.42)
        at = np.column_stack(
            [x + radius * np.cos(turn), y + 0.65 * radius * np.sin(turn)]
        )
        found.append(shapely.to_geojson(shapely.make_valid(shapely.Polygon(at))))
    return found


def plain(folder: Path, way: str, threads: int) -> Callable[..., list[tuple]]:
    """DuckDB over its own table or GeoParquet, with the macros of the archive."""
    native = folder / "native.duckdb"
    con = duckdb.connect(
        str(native) if way == "native" else ":memory:", read_only=way == "native"
    )
    sandbox.load_spatial(con)
    con.execute(f"SET threads = {threads:d}; SET TimeZone = 'UTC'")
    if way != "native":
        for view, name in (("scores", way), ("changes", f"{way}-changes")):
            con.from_parquet(str(folder / f"{name}.parquet")).create_view(view)
    con.execute(
        "CREATE TEMP MACRO in_bbox(b, w, s, e, n) AS "
        "b.ymin <= n AND b.ymax >= s AND b.xmin <= e AND b.xmax >= w"
    )
    con.execute(
        "CREATE TEMP MACRO within(place, outline) AS "
        "ST_Intersects(place, ST_GeomFromGeoJSON(outline))"
    )
    con.execute(
        "CREATE TEMP MACRO month_of(instant) AS CAST(date_trunc('month', instant) AS DATE)"
    )
    return lambda text, values: con.execute(text, values or None).fetchall()


def terradrift(folder: Path, way: str, threads: int) -> Callable[..., list[tuple]]:
    """The archive, by files of columns or, on a raw connection, from Lance."""
    store = Store.open(folder / "bench.td")
    if way == "lance":
        con = ask.connect(store, threads=threads)
        return lambda text, values: con.execute(text, values or None).fetchall()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    return lambda text, values: ask.sql(store, text, **values).fetchall()


def measure(
    folder: Path, way: str, threads: int, of: Path | None
) -> Iterator[dict[str, Any]]:
    zones = outlines(of)
    run = (plain if way in FLAT else terradrift)(folder, way, threads)
    for question, text in QUESTIONS.items():
        if way in FLAT and text == PER_PATCH:
            continue
        values: dict[str, Any] = {"zones": zones} if "$zones" in text else {}
        values |= {"zone": zones[0]} if "$zone)" in text else {}
        slow = any(word in question for word in SLOW)
        rows = run(text, values) if not slow else []
        walls, cpus = [], []
        for _ in range(1 if slow else 9):
            wall, cpu = time.perf_counter(), time.process_time()
            rows = run(text, values)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        yield {
            "question": question,
            "way": way,
            "ms": round(statistics.median(walls) * 1e3, 1),
            "cpu_ms": round(statistics.median(cpus) * 1e3, 1),
            "rows": len(rows),
            "digest": hash(tuple(map(_told, rows))),
        }


def _told(row: tuple) -> tuple:
    """A row as told: sums in another order differ in their last digits."""
    return tuple(
        f"{part:.6g}" if isinstance(part, float) else str(part).replace("+00:00", "")
        for part in row
    )


def compare(lines: list[dict[str, Any]]) -> None:
    """The table of answers: CPU milliseconds, and ratios to the files of columns."""
    cpu = {(line["question"], line["way"]): line["cpu_ms"] for line in lines}
    print("| CPU ms | " + " | ".join(WAYS) + " |")
    print("| --- |" + " --- |" * len(WAYS))
    for question in QUESTIONS:
        ours = cpu[question, "columns"]
        cells = [
            f"{cpu[question, way]:,.1f} ({cpu[question, way] / ours:.2f}x)"
            if (question, way) in cpu
            else ""
            for way in WAYS
        ]
        print(f"| {question} | " + " | ".join(cells) + " |")
    naive = cpu["drift in 200 polygons, naive", "native"]
    per_patch = cpu["drift in 200 polygons, per patch first", "columns"]
    print(f"naive join of the DuckDB table / per patch first: {naive / per_patch:.1f}x")


def same(lines: list[dict[str, Any]]) -> None:
    """Say of each answer whether its rows are those of the DuckDB table."""
    expected = {
        line["question"]: line["digest"] for line in lines if line["way"] == "native"
    }
    per_patch, naive = (
        f"drift in 200 polygons, {way}" for way in ("per patch first", "naive")
    )
    expected[per_patch] = expected[naive]
    for line in lines:
        line["same_rows"] = line.pop("digest") == expected[line["question"]]
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=100_000)
    parser.add_argument("--dates", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--outlines", type=Path, help="GeoJSON of other polygons")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        chosen = options.folder, options.measure, options.threads, options.outlines
        for line in measure(*chosen):
            print(json.dumps(line), flush=True)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        if not (folder / "native.duckdb").exists():
            store = archive.make(folder, options.patches, options.dates)
            for built in archive.index(store):
                print(built, flush=True)
            print(json.dumps({"bytes": archive.otherwise(folder, store)}), flush=True)
        lines: list[dict[str, Any]] = []
        for way in WAYS:
            command = [sys.executable, __file__, "--measure", way, "--folder", folder]
            if options.outlines:
                command += ["--outlines", options.outlines]
            given = subprocess.run(
                [*map(str, command), "--threads", str(options.threads)],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
            lines += map(json.loads, given.stdout.splitlines())
        same(lines)
        compare(lines)


if __name__ == "__main__":
    main()
