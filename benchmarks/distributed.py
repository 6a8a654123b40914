"""`embed --ray` on one machine: the same rows as the plain run, and how time falls with workers.

Simulates one series (once; kept in the folder). Then the plain run on one CPU, and local
Ray clusters of 1, 2 and 4 workers with a CPU each, every run in a process and an archive
of its own. `start` is Ray's own; `embed` is the rest of the verb: starting and loading the
workers, reading, embedding, writing and the commit. Rows must be those of the plain run: keys
byte for byte, vectors within what float16 rounds.

    python benchmarks/distributed.py [FOLDER] [--size 1024] [--dates 24] [--model mosaiks]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKERS = (1, 2, 4)
PATCH = 80
FLOAT16 = 2e-3
"""Relative size of what two roundings to float16 differ by, twice over."""


def job(place: str, catalog: str, model: str, fitted: str, workers: str) -> None:
    """One run; its last line is its figures."""
    import terradrift as td
    from terradrift.archive import cluster

    archive = td.create(place, td.Grid(PATCH))
    archive.ingest(catalog)
    if fitted:  # all with the model of the plain run
        shutil.copytree(fitted, Path(place) / "models")
    count, start = int(workers), time.perf_counter()
    # As many CPUs as workers, whatever the machine has; the plain run has one.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: max(1, count)])
    if count:
        asked = cluster.Cluster("local", workers=count, threads=1)
        with cluster.connected(asked):
            begun = time.perf_counter()
            done = archive.embed(
                model, ray="local", ray_workers=count, threads=1, quiet=True
            )
            ended = time.perf_counter()
    else:
        begun = start
        done = archive.embed(model, threads=1, quiet=True)
        ended = time.perf_counter()
    print(json.dumps({"rows": done.rows, "start": begun - start, "s": ended - begun}))


def measured(*words: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--job", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def differences(place: Path, plain: Path, model: str) -> tuple[bool, float]:
    """Whether all but vectors and run is equal; largest difference of vectors, relative."""
    import numpy as np

    import terradrift as td
    from terradrift.store.units import embeddings_table

    key = [("patch_id", "ascending"), ("datetime", "ascending")]
    tables = [
        td.open(path).store.scan(embeddings_table(model)).read_all().sort_by(key)
        for path in (place, plain)
    ]
    keys = [table.drop_columns(["embedding", "run_id"]) for table in tables]
    if not keys[0].equals(keys[1]):
        return False, float("nan")
    one, other = (
        np.asarray(table["embedding"].combine_chunks().values, np.float32)
        for table in tables
    )
    scale = max(float(np.abs(other).max()), 1e-9)
    return True, float(np.abs(one - other).max()) / scale


def compare(folder: Path, size: int, dates: int, model: str) -> None:
    from terradrift.ingest.simulate import simulate

    catalog = folder / f"scenes-{size}-{dates}" / "catalog.json"
    if not catalog.exists():
        simulate(catalog.parent, size_px=size, dates=dates, seed=1)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        places = {count: Path(work) / f"{count}.td" for count in (0, *WORKERS)}
        fitted = _fitted(Path(work) / "first.td", catalog, model)
        plain = measured(str(places[0]), str(catalog), model, fitted, "0")
        print(f"{model}: {plain['rows']:,} rows; plain run, 1 CPU: {plain['s']:.1f} s")
        wrong = []
        for count in WORKERS:
            found = measured(
                str(places[count]), str(catalog), model, fitted, str(count)
            )
            same, off = differences(places[count], places[0], model)
            print(
                f"{count} workers: start {found['start']:.1f} s, embed {found['s']:.1f} s "
                f"({found['rows'] / found['s']:,.0f} rows/s, {plain['s'] / found['s']:.2f} "
                f"times the plain run); keys equal: {same}, vectors differ by {off:.1e}"
            )
            if not same or off > FLOAT16:
                wrong.append(count)
    if wrong:
        sys.exit(f"rows differ from the plain run with {wrong} workers")


def _fitted(place: Path, catalog: Path, model: str) -> str:
    """Folder of the fitted model that all runs use; empty for a model without a fit."""
    from terradrift import plugins

    if not getattr(plugins.load(plugins.EMBEDDERS, model), "needs_fit", False):
        return ""
    measured(str(place), str(catalog), model, "", "0")
    return str(place / "models")


def main() -> None:
    if sys.argv[1:2] == ["--job"]:
        job(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=tempfile.gettempdir(), type=Path)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--dates", type=int, default=24)
    parser.add_argument("--model", default="mosaiks")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    compare(asked.folder, asked.size, asked.dates, asked.model)


if __name__ == "__main__":
    main()
