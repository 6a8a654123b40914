"""LOF beside scikit-learn and FAISS: time, memory, and how far they agree.

    python benchmarks/lof.py                        # 100,000 rows of 384, k = 20
    python benchmarks/lof.py --rows 20000 50000 --threads 4
    python benchmarks/lof.py --archive farms.td     # the vectors of an archive

Each side runs in a process of its own, since importing FAISS first makes scikit-learn's
neighbour search serial. The rows: 60 clusters of Zipf sizes in 30 latent dimensions, lifted
with noise, one in twenty a broad outlier, at length 1. Vectors of an archive are taken as
they are stored, each once. "proven" is the share of rows whose neighbours each pass proved
to be exact, of those that the pass before left; peak memory is that of the whole process,
with the rows. The top 1 % is compared with scikit-learn's.
"""

import argparse
import json
import logging
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


def stored(archive: Path) -> NDArray[np.float32]:
    import lance

    from terradrift.detect.duplicates import groups

    (table,) = archive.glob("embeddings_*.lance")
    column = lance.dataset(str(table)).to_table(columns=["embedding"])["embedding"]
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = flat.reshape(len(column), -1).astype(np.float32)
    return vectors[groups(vectors) == np.arange(len(vectors))]


def ours(points: NDArray[np.float32], threads: int) -> NDArray[np.floating]:
    from terradrift.detect.lof import lof

    return lof(points, NEIGHBOURS, threads=threads)


def theirs(points: NDArray[np.float32], threads: int) -> NDArray[np.floating]:
    from sklearn.neighbors import LocalOutlierFactor

    model = LocalOutlierFactor(
        n_neighbors=NEIGHBOURS, algorithm="brute", n_jobs=threads
    )
    return -model.fit(points).negative_outlier_factor_


def flat(points: NDArray[np.float32], threads: int) -> NDArray[np.floating]:
    import faiss

    faiss.omp_set_num_threads(threads)
    squared, near = faiss.knn(points, points, NEIGHBOURS + 1)
    other = near != np.arange(len(points))[:, None]
    other[other.all(axis=1), -1] = False  # not found itself: leave out the farthest
    near = near[other].reshape(-1, NEIGHBOURS)
    apart = np.sqrt(np.maximum(squared[other], 0)).reshape(-1, NEIGHBOURS)
    reach = np.maximum(apart, apart[near, -1])
    density = 1 / (reach.mean(axis=1) + 1e-10)
    return density[near].mean(axis=1) / density


SIDES = {"terradrift": ours, "scikit-learn": theirs, "faiss": flat}


def passes() -> list[str]:
    """What the passes of a search say, gathered while it runs."""
    said: list[str] = []

    class Gather(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger = logging.getLogger("terradrift.detect.search")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Gather())
    return said


def peak_gb() -> float:
    """Peak of resident memory; the kernel of Linux carries `ru_maxrss` over from a parent."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) * 1024 / 1e9, 2)


def work(side: str, folder: Path, threads: int) -> None:
    points = np.load(folder / "rows.npy")
    SIDES[side](points[:500], threads)  # imports and first calls are not timed
    said = passes()
    wall, cpu = time.perf_counter(), time.process_time()
    scores = SIDES[side](points, threads)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.save(folder / f"{side}.npy", scores)
    result = {
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "peak_gb": peak_gb(),
    }
    print(json.dumps(result | ({"proven": said} if said else {})))


def compare(
    points: NDArray[np.float32], threads: int, sides: list[str]
) -> dict[str, object]:
    n, d = points.shape
    result: dict[str, object] = {"rows": n, "dimensions": d, "neighbours": NEIGHBOURS}
    result |= {"threads": threads, "machine": platform.machine()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "rows.npy", points)
        environment = os.environ | dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
        )
        for side in sides:
            command = [sys.executable, __file__, "--side", side, "--folder", name]
            ran = subprocess.run(
                [*command, "--threads", str(threads)],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            result[side] = json.loads(ran.stdout)
        scores = {side: np.load(folder / f"{side}.npy") for side in sides}
    mine, top = scores["terradrift"], max(1, n // 100)
    for side in sides[1:]:
        result[side]["times_wall"] = _times(result, side, "wall_s")
        result[side]["times_cpu"] = _times(result, side, "cpu_s")
        shared = np.intersect1d(
            np.argsort(-mine)[:top], np.argsort(-scores[side])[:top]
        )
        result[side]["overlap_top_percent"] = len(shared) / top
        difference = float(np.abs(mine / scores[side] - 1).max())
        result[side]["largest_relative_difference"] = difference
    return result


def _times(result: dict[str, object], side: str, what: str) -> float:
    return round(result[side][what] / result["terradrift"][what], 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument(
        "--archive", type=Path, help="its vectors instead of drawn ones"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peers", nargs="*", default=["scikit-learn", "faiss"])
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options.side, options.folder, options.threads)
        return
    sides = ["terradrift", *options.peers]
    if options.archive:
        print(json.dumps(compare(stored(options.archive), options.threads, sides)))
        return
    for n in options.rows:
        points = rows(n, options.dimensions, options.seed)
        print(json.dumps(compare(points, options.threads, sides)))


if __name__ == "__main__":
    main()
