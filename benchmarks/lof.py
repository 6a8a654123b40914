"""LOF beside scikit-learn's: time, and how far both agree.

    python benchmarks/lof.py                      # 20,000 and 50,000 rows of 384
    python benchmarks/lof.py --rows 100000 --threads 4

Each side runs in a process of its own, since importing FAISS first makes scikit-learn's
neighbour search serial. The rows: 60 clusters of Zipf sizes in 30 latent dimensions, lifted
with noise, one in twenty a broad outlier, at length 1.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 20


def rows(n: int, d: int, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    share = 1 / np.arange(1, 61)
    cluster = random.choice(60, n, p=share / share.sum())
    latent = random.normal(size=(60, 30))[cluster] + 0.3 * random.normal(size=(n, 30))
    broad = random.random(n) < 0.05
    latent[broad] = 1.5 * random.normal(size=(int(broad.sum()), 30))
    lifted = latent @ random.normal(size=(30, d)) / d**0.5
    lifted += 0.02 * random.normal(size=(n, d))
    lifted /= np.linalg.norm(lifted, axis=1, keepdims=True)
    return lifted.astype(np.float32)


def ours(points: NDArray[np.float32], threads: int) -> NDArray[np.floating]:
    from terradrift.detect.lof import lof

    return lof(points, NEIGHBOURS, threads=threads)


def theirs(points: NDArray[np.float32], threads: int) -> NDArray[np.floating]:
    from sklearn.neighbors import LocalOutlierFactor

    model = LocalOutlierFactor(
        n_neighbors=NEIGHBOURS, algorithm="brute", n_jobs=threads
    )
    return -model.fit(points).negative_outlier_factor_


SIDES = {"terradrift": ours, "scikit-learn": theirs}


def work(side: str, folder: Path, threads: int) -> None:
    points = np.load(folder / "rows.npy")
    SIDES[side](points[:500], threads)  # imports and first calls are not timed
    wall, cpu = time.perf_counter(), time.process_time()
    scores = SIDES[side](points, threads)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.save(folder / f"{side}.npy", scores)
    print(json.dumps({"wall_s": round(wall, 2), "cpu_s": round(cpu, 2)}))


def compare(n: int, d: int, threads: int, seed: int) -> dict[str, object]:
    result: dict[str, object] = {"rows": n, "dimensions": d, "neighbours": NEIGHBOURS}
    result |= {"threads": threads, "seed": seed, "machine": platform.machine()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "rows.npy", rows(n, d, seed))
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, "--folder", name]
            ran = subprocess.run(
                [*command, "--threads", str(threads)],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            result[side] = json.loads(ran.stdout)
        mine, other = (np.load(folder / f"{side}.npy") for side in SIDES)
    top = max(1, n // 100)
    shared = np.intersect1d(np.argsort(-mine)[:top], np.argsort(-other)[:top])
    result["times_faster_wall"] = round(
        result["scikit-learn"]["wall_s"] / result["terradrift"]["wall_s"], 2
    )
    result["times_less_cpu"] = round(
        result["scikit-learn"]["cpu_s"] / result["terradrift"]["cpu_s"], 2
    )
    result["overlap_top_percent"] = len(shared) / top
    result["largest_relative_difference"] = float(np.abs(mine / other - 1).max())
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 50_000])
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options.side, options.folder, options.threads)
        return
    for n in options.rows:
        print(json.dumps(compare(n, options.dimensions, options.threads, options.seed)))


if __name__ == "__main__":
    main()
