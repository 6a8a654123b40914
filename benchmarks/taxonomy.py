"""Clustering series: time and agreement with planted shapes, beside tslearn and others.

    python benchmarks/taxonomy.py                    # 500 series: minutes, most of them tslearn's
    python benchmarks/taxonomy.py --rows 5000 --sides components,warped,euclidean,faiss
    python benchmarks/taxonomy.py --rows 5000 --sides same-start,tslearn --limit 3600
    python benchmarks/taxonomy.py --scale 50000,100000,200000 # growth of time and memory

Series have 24 steps of 64 dimensions. Sets: `shapes`, 20 random walks, each series a window
of one that begins at one of seven steps; `late`, 20 bumps, each series one that is up to four
steps early or late, where the same steps are not alike and only warping helps.

Each side runs in a process of its own, on one thread, after a small warm-up that compiles.
Sides: `components`, ours: k-means of the leading components of whole series; `warped`, ours:
warped k-means with barycentres from there on, and from two
draws of seeds; `same-start`, ours: the same from 20 given
series on, in three rounds of five sweeps; `tslearn`, its warped k-means with barycentres, as
it comes; `tslearn-same-start`, the same from the given series on, in as many rounds and
sweeps; `euclidean`, scikit-learn's k-means of whole series; `faiss`, that
of FAISS. ARI is against the planted shapes; `equal` the share of series with its label.
`distances` compares 500 x 20 distances of ours with tslearn's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STEPS, DIMENSIONS, SHAPES = 24, 64, 20
ROUNDS, SWEEPS = 3, 5
EVERY = STEPS - 1
"""No band: tslearn has none as it comes."""
Rows = NDArray[np.float32]


def shapes(n: int) -> tuple[Rows, NDArray[np.int64]]:
    random = np.random.default_rng(0)
    walks = random.standard_normal((SHAPES, STEPS + 6, DIMENSIONS)) * 0.25
    walks = np.cumsum(walks, axis=1)
    walks += random.standard_normal((SHAPES, 1, DIMENSIONS)) * 0.15
    of, begin = random.integers(0, SHAPES, n), random.integers(0, 7, n)
    rows = np.stack(
        [walks[k, at : at + STEPS] for k, at in zip(of, begin, strict=True)]
    )
    rows += random.standard_normal(rows.shape) * 0.5
    return np.ascontiguousarray(rows, np.float32), of


def late(n: int) -> tuple[Rows, NDArray[np.int64]]:
    random = np.random.default_rng(1)
    bumps = np.zeros((SHAPES, STEPS, DIMENSIONS))
    bumps[:, 9:15] = random.standard_normal((SHAPES, 6, DIMENSIONS))
    of, by = random.integers(0, SHAPES, n), random.integers(-4, 5, n)
    rows = np.stack(
        [np.roll(bumps[k], at, axis=0) for k, at in zip(of, by, strict=True)]
    )
    rows += random.standard_normal(rows.shape) * 0.25
    return np.ascontiguousarray(rows, np.float32), of


SETS = {"shapes": shapes, "late": late}


def _begun(rows: Rows) -> Rows:
    at = np.random.default_rng(2).choice(len(rows), SHAPES, replace=False)
    return rows[at]


def _components(rows: Rows) -> NDArray[np.integer]:
    from terradrift.detect.taxonomy.kmeans import flat, kmeans

    return kmeans(flat(rows, 32), SHAPES)


def _warped(rows: Rows) -> NDArray[np.integer]:
    from terradrift.detect.taxonomy import warped

    return warped.best(rows, SHAPES, EVERY).label


def _same_start(rows: Rows) -> NDArray[np.integer]:
    from terradrift.detect.taxonomy import dtw, warped

    start = dtw.squared_distances(rows, _begun(rows), EVERY).argmin(axis=1)
    start = np.unique(start, return_inverse=True)[1]
    return warped.cluster(rows, start, EVERY, rounds=ROUNDS, sweeps=SWEEPS).label


def _tslearn(rows: Rows) -> NDArray[np.integer]:
    from tslearn.clustering import TimeSeriesKMeans

    model = TimeSeriesKMeans(
        SHAPES,
        metric="dtw",
        max_iter=ROUNDS,
        max_iter_barycenter=SWEEPS,
        init=_begun(rows).astype(np.float64),
        n_init=1,
        n_jobs=1,
    )
    return model.fit(rows.astype(np.float64)).labels_


def _tslearn_default(rows: Rows) -> NDArray[np.integer]:
    from tslearn.clustering import TimeSeriesKMeans

    model = TimeSeriesKMeans(SHAPES, metric="dtw", n_jobs=1, random_state=0)
    return model.fit(rows.astype(np.float64)).labels_


def _euclidean(rows: Rows) -> NDArray[np.integer]:
    from sklearn.cluster import KMeans

    model = KMeans(SHAPES, n_init=4, random_state=0)
    return model.fit_predict(rows.reshape(len(rows), -1))


def _faiss(rows: Rows) -> NDArray[np.integer]:
    import faiss

    flat = rows.reshape(len(rows), -1)
    model = faiss.Kmeans(
        flat.shape[1], SHAPES, niter=20, nredo=4, seed=1, min_points_per_centroid=1
    )
    model.train(flat)
    return model.index.search(flat, 1)[1][:, 0]


SIDES = {
    "components": _components,
    "warped": _warped,
    "same-start": _same_start,
    "tslearn": _tslearn_default,
    "tslearn-same-start": _tslearn,
    "euclidean": _euclidean,
    "faiss": _faiss,
}


def distances(rows: Rows) -> None:
    from tslearn.metrics import cdist_dtw

    from terradrift.detect.taxonomy import dtw

    begun = _begun(rows)
    timed = {}
    found = {}
    for name, call in (
        ("terradrift", lambda some: np.sqrt(dtw.squared_distances(some, begun, 23))),
        ("tslearn", lambda some: cdist_dtw(some.astype(np.float64), begun, n_jobs=1)),
    ):
        call(rows[:2])
        cpu = time.process_time()
        found[name] = call(rows)
        timed[name] = time.process_time() - cpu
    known = found["tslearn"] > 0
    off = np.abs(found["terradrift"][known] / found["tslearn"][known] - 1).max()
    print(
        json.dumps(
            {
                "distances": f"{len(rows)} x {SHAPES}",
                "largest_relative_difference": float(f"{off:.2g}"),
                "cpu_s": {name: round(each, 4) for name, each in timed.items()},
                "times": round(timed["tslearn"] / timed["terradrift"]),
            }
        )
    )


def work(side: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    rows = np.load(folder / "rows.npy")
    SIDES[side](rows[:100])
    wall, cpu = time.perf_counter(), time.process_time()
    label = SIDES[side](rows)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.save(folder / f"{side}.npy", label)
    print(json.dumps({"wall_s": round(wall, 3), "cpu_s": round(cpu, 3)}))


def compare(name: str, n: int, sides: list[str], limit: int) -> None:
    from sklearn.metrics import adjusted_rand_score

    rows, of = SETS[name](n)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        np.save(folder / "rows.npy", rows)
        results, labels = {}, {}
        for side in sides:
            results[side] = _ran(["--side", side, "--folder", made], limit)
            if (folder / f"{side}.npy").exists():
                labels[side] = np.load(folder / f"{side}.npy")
                ari = adjusted_rand_score(of, labels[side])
                results[side]["ari"] = round(float(ari), 3)
    theirs = results.get("tslearn", {}).get("cpu_s")
    for side, result in results.items():
        if theirs and "cpu_s" in result:
            result["times_quicker_than_tslearn"] = round(theirs / result["cpu_s"], 1)
        if {"tslearn-same-start", side} <= labels.keys() and side == "same-start":
            result["equal"] = round(float((_matched(labels) == labels[side]).mean()), 4)
        print(json.dumps({"set": name, "rows": n, "side": side} | result), flush=True)


def _matched(labels: dict[str, NDArray[np.integer]]) -> NDArray[np.integer]:
    """The labels of tslearn, renumbered as ours most often say."""
    theirs, ours = labels["tslearn-same-start"], labels["same-start"]
    number = {k: np.bincount(ours[theirs == k]).argmax() for k in np.unique(theirs)}
    return np.array([number[k] for k in theirs])


def _ran(arguments: list[str], limit: int) -> dict:
    single = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
    try:
        ran = subprocess.run(
            [sys.executable, __file__, *arguments],
            env=os.environ | single,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {"over_s": limit}
    except subprocess.CalledProcessError:
        return {"failed": True}
    return json.loads(ran.stdout)


def scale(n: int) -> None:
    """Series of 60 dates x 384 through all that `taxonomy` does with vectors."""
    import resource

    from terradrift.detect import pool
    from terradrift.detect.taxonomy.assign import assign
    from terradrift.detect.taxonomy.paths import Paths, Projection, calendar, regular
    from terradrift.detect.taxonomy.settings import Settings
    from terradrift.detect.taxonomy.tree import fit

    dates, width, block = 60, 384, 1000
    random = np.random.default_rng(0)
    grounds = random.standard_normal((8, width)).astype(np.float32)
    courses = random.standard_normal((4, width)).astype(np.float32)
    turn = np.sin(2 * np.pi * (np.arange(dates)[:, None] / 24 + np.arange(4) / 4))
    turn = (turn @ courses).astype(np.float32)
    days = np.datetime64("2019-01-01") + 15 * np.arange(dates)
    noise = random.standard_normal((block, dates, width)).astype(np.float32) * 0.5

    def blocks():
        for start in range(0, n, block):
            of = (start + np.arange(block)) % 32
            series = (
                grounds[of % 8][:, None] + turn[None] * (1 + of // 8)[:, None, None] / 2
            )
            clear = np.random.default_rng(start).random((block, dates)) < 0.6
            ids = np.array([f"{start + at:08d}" for at in range(block)])
            yield (
                ids,
                (series + np.roll(noise, start, axis=1)).astype(np.float16),
                clear,
            )

    made = time.process_time()
    for _ in blocks():
        pass
    made = time.process_time() - made
    began = time.process_time()
    ids, vectors, clear = next(blocks())
    basis = pool.components(vectors[clear][:16_384].astype(np.float32), 32)
    seen_by = Projection(basis)
    steps = calendar(days, clear.sum(axis=0), len(ids))
    settings = Settings()
    share = min(1.0, settings.most / n)

    def paths():
        for names, vectors, clear in blocks():
            yield regular(names, seen_by.reduce(vectors, clear), clear, days, steps)

    parts = [each.of(random.random(len(each)) < share) for each in paths()]
    sample = Paths(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("patch_ids", "values", "known", "n_clear")
        )
    )
    del parts
    read = time.process_time() - began
    found = fit(sample, steps, settings)
    fitted = time.process_time() - began - read
    placed = sum(int((assign(found, each).regime >= 0).sum()) for each in paths())
    assigned = time.process_time() - began - read - fitted
    result = {
        "series": n,
        "steps": len(steps),
        "sample": len(sample),
        "regimes": len(found.leaves),
        "placed": placed,
        "cpu_s_sample": round(read - made, 1),
        "cpu_s_fit": round(fitted, 1),
        "cpu_s_assign": round(assigned - made, 1),
        "cpu_ms_per_series": round(1000 * (assigned + read - 2 * made) / n, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(result), flush=True)


def main() -> None:
    # This folder is searched first, and a file in it may be called like a package.
    sys.path[:] = [each for each in sys.path if Path(each) != Path(__file__).parent]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[500])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--limit", type=int, default=600, help="seconds of one side")
    parser.add_argument("--scale", help="numbers of series, such as 50000,100000")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--series", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options.side, options.folder)
    elif options.series:
        scale(options.series)
    elif options.scale:
        for n in options.scale.split(","):
            print(json.dumps(_ran(["--series", n], options.limit)), flush=True)
    else:
        for n in options.rows:
            for name in options.sets.split(","):
                compare(name, n, options.sides.split(","), options.limit)
        if "tslearn" in options.sides:
            distances(shapes(500)[0])


if __name__ == "__main__":
    main()
