"""HDBSCAN beside `hdbscan` and `fast_hdbscan`: time, memory, agreement of labels.

    python benchmarks/hdbscan.py                       # 10,000 and 50,000 rows of 32
    python benchmarks/hdbscan.py --rows 200000 --sides terradrift,fast-approximate
    python benchmarks/hdbscan.py --sets real --shared ../shared
    python benchmarks/hdbscan.py --ties                # what ties alone change

Each side runs in a process of its own, on one thread. Sides: ours, exact; `exact` and
`default`, the `hdbscan` package with and without its exact spanning tree; `fast-exact`,
fast_hdbscan's k-d tree, which it takes up to 30 dimensions, so it gets 30; and
`fast-approximate`, what it does above, where pynndescent is installed. The two fast ones can
run in an environment of their own (`--fast-python`). `first_s` is the first call, on 2,000
rows: imports and compilation, outside the other times.

Sets: `separated`, 60 clusters of Zipf sizes in 30 latent dimensions lifted to 384 with 5 %
broad outliers, 32 principal components; `varied`, 40 clusters of spreads from 0.05 to 0.63
that overlap, 20 % noise; `noisy`, 12 clusters in 60 % noise; `real`, `mosaiks` vectors of
the Flanders scenes in patches of 20 m, 32 principal components.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

SAMPLES = 10
WARM = 2000
KD_TREE_MOST = 30
ORDERS = 5


def least(n: int) -> int:
    return max(25, n // 400)


def components(rows: NDArray[np.floating], keep: int = 32) -> Points:
    centered = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centered.T @ centered)
    return np.ascontiguousarray((centered @ axes[:, ::-1][:, :keep]).astype(np.float32))


def separated(n: int, seed: int) -> Points:
    random = np.random.default_rng(seed)
    scale = 1 / np.sqrt(1 + 0.15 * np.arange(30))
    share = 1 / np.arange(1, 61) ** 0.7
    of = random.choice(60, n, p=share / share.sum())
    spread = random.uniform(0.25, 0.5, 60)
    latent = random.normal(size=(60, 30))[of]
    latent += spread[of][:, None] * random.normal(size=(n, 30))
    broad = random.random(n) < 0.05
    many = int(broad.sum())
    latent[broad] = random.normal(size=(many, 30)) * random.uniform(1, 2, (many, 1))
    lift = np.linalg.qr(random.normal(size=(384, 30)))[0].T
    rows = ((latent * scale + 0.5 * random.normal(size=30)) @ lift).astype(np.float32)
    rows += np.float32(0.12 / 384**0.5) * random.normal(size=rows.shape)
    return components(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _mixture(
    n: int, seed: int, clusters: int, spreads: tuple[float, float], noise: float
) -> Points:
    random = np.random.default_rng(seed)
    scale = 1 / np.sqrt(1 + 0.3 * np.arange(32))
    of = random.choice(clusters, n, p=random.dirichlet(np.ones(clusters)))
    spread = 10 ** random.uniform(*np.log10(spreads), clusters)
    rows = random.normal(size=(clusters, 32))[of]
    rows += spread[of][:, None] * random.normal(size=(n, 32))
    broad = random.random(n) < noise
    many = int(broad.sum())
    rows[broad] = random.normal(size=(many, 32)) * random.uniform(0.5, 2, (many, 1))
    return (rows * scale).astype(np.float32)


def varied(n: int, seed: int) -> Points:
    return _mixture(n, seed, 40, (0.05, 0.63), 0.2)


def noisy(n: int, seed: int) -> Points:
    return _mixture(n, seed, 12, (0.1, 0.4), 0.6)


def real(n: int, seed: int, shared: Path) -> Points:
    import _quality

    import terradrift as td

    with tempfile.TemporaryDirectory() as folder:
        archive = td.create(Path(folder) / "archive.td", grid=td.Grid(patch_size=20))
        archive.ingest(shared / "data" / "s2-flanders-2018" / "catalog.json")
        series = _quality.histories(archive, "mosaiks")
        rows = np.concatenate([each.vectors.reshape(-1, 256) for each in series])
    rows = rows[np.isfinite(rows).all(axis=1)].astype(np.float32)
    random = np.random.default_rng(seed)
    return components(rows[random.choice(len(rows), min(n, len(rows)), replace=False)])


def _ours(points: Points) -> NDArray[np.integer]:
    from terradrift.detect.density import hdbscan

    return hdbscan(
        points, min_cluster_size=least(len(points)), min_samples=SAMPLES
    ).label


def _package(points: Points, *, approximate: bool) -> NDArray[np.integer]:
    from hdbscan import HDBSCAN

    model = HDBSCAN(
        min_cluster_size=least(len(points)),
        min_samples=SAMPLES,
        core_dist_n_jobs=1,
        approx_min_span_tree=approximate,
    )
    return model.fit(points.astype(np.float64)).labels_


def _fast(points: Points) -> NDArray[np.integer]:
    from fast_hdbscan import HDBSCAN

    model = HDBSCAN(min_cluster_size=least(len(points)), min_samples=SAMPLES)
    return model.fit(points).labels_


SIDES = {
    "terradrift": _ours,
    "exact": lambda points: _package(points, approximate=False),
    "default": lambda points: _package(points, approximate=True),
    "fast-exact": lambda points: _fast(np.ascontiguousarray(points[:, :KD_TREE_MOST])),
    "fast-approximate": _fast,
}


def peak_mb() -> int:
    """Of this process alone: `getrusage` keeps that of the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(each for each in status.splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def work(side: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    points = np.load(folder / "rows.npy")
    first = time.perf_counter()
    SIDES[side](points[:WARM])
    first = time.perf_counter() - first
    before = peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    label = SIDES[side](points)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.save(folder / f"{side}.npy", label)
    peak = peak_mb()
    result = {
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "first_s": round(first, 1),
        "peak_mb": peak,
        "more_mb": peak - before,
        "clusters": int(label.max()) + 1,
        "none": round(float((label < 0).mean()), 4),
    }
    print(json.dumps(result))


def compare(
    name: str, points: Points, sides: list[str], limit: int, fast_python: str
) -> None:
    from sklearn.metrics import adjusted_rand_score

    head = {"set": name, "rows": len(points), "machine": platform.machine()}
    single = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    results: dict[str, dict[str, float]] = {}
    labels = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        np.save(folder / "rows.npy", points)
        for side in sides:
            python = fast_python if side.startswith("fast") else sys.executable
            command = [python, __file__, "--side", side, "--folder", made]
            try:
                ran = subprocess.run(
                    command,
                    env=os.environ | dict.fromkeys(single, "1"),
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                    timeout=limit,
                )
            except subprocess.CalledProcessError:
                print(json.dumps(head | {"side": side, "failed": True}))
                continue
            except subprocess.TimeoutExpired:
                print(json.dumps(head | {"side": side, "over_s": limit}))
                continue
            results[side] = json.loads(ran.stdout)
            labels[side] = np.load(folder / f"{side}.npy")
    for side, result in results.items():
        if "exact" in labels:
            agreed = adjusted_rand_score(labels["exact"], labels[side])
            result["ari_with_exact"] = round(float(agreed), 5)
        if "terradrift" in results:
            ours = results["terradrift"]["cpu_s"]
            result["cpu_of_ours"] = round(result["cpu_s"] / ours, 1)
        print(json.dumps(head | {"side": side} | result), flush=True)


def ties(seeds: range) -> None:
    """Labels of `hdbscan` on the same rows in other orders, and ours beside them."""
    from sklearn.metrics import adjusted_rand_score

    from terradrift.detect.density import hdbscan

    warnings.simplefilter("ignore")
    for size, samples in ((5, 3), (15, 10)):
        itself, ours = [], []
        for seed, (n, d) in product(seeds, ((400, 2), (700, 5), (1500, 16))):
            points = _mixture(n, seed, 6, (0.1, 2.0), 0.2)[:, :d]
            one = _tied(points, size, samples)
            for turn in range(ORDERS):
                order = np.random.default_rng(turn).permutation(n)
                other = _tied(points[order], size, samples)
                itself.append(adjusted_rand_score(one[order], other))
            found = hdbscan(points, min_cluster_size=size, min_samples=samples).label
            ours.append(adjusted_rand_score(one, found))
        print(
            f"min_cluster_size {size}, min_samples {samples}: mean (least) of "
            f"{len(ours)} sets, hdbscan with itself {np.mean(itself):.3f} "
            f"({min(itself):.3f}), ours with hdbscan {np.mean(ours):.3f} "
            f"({min(ours):.3f})"
        )


def _tied(points: Points, size: int, samples: int) -> NDArray[np.integer]:
    from hdbscan import HDBSCAN

    model = HDBSCAN(
        min_cluster_size=size, min_samples=samples, approx_min_span_tree=False
    )
    return model.fit(points.astype(np.float64)).labels_


def main() -> None:
    # This folder is searched first, and this file is called like the package.
    sys.path[:] = [each for each in sys.path if Path(each) != Path(__file__).parent]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--sets", default="separated,varied,noisy")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=600, help="seconds of one side")
    parser.add_argument("--fast-python", default=sys.executable)
    parser.add_argument("--ties", action="store_true")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options.side, options.folder)
        return
    if options.ties:
        ties(range(10))
        return
    made = {"separated": separated, "varied": varied, "noisy": noisy}
    for n in options.rows:
        for name in options.sets.split(","):
            if name == "real":
                sys.path.append(str(Path(__file__).parent))
                points = real(n, options.seed, options.shared)
            else:
                points = made[name](n, options.seed)
            compare(
                name,
                points,
                options.sides.split(","),
                options.limit,
                options.fast_python,
            )


if __name__ == "__main__":
    main()
