"""Change points beside ruptures: series per second, and whether breaks are the same.

    python benchmarks/changepoints.py                  # 20,000 series x 60 dates
    python benchmarks/changepoints.py --peers 50       # so many series for slow peers

Squared distances to segment means, at least two dates a segment. First the one best
break of scalar series, then several (penalty (2 + r) x noise x log dates for r numbers a date), then the same over
histories of 32 numbers. Each side runs in a process of its own on one thread, peers on the
first `--peers` series (the compiled `KernelCPD` on 20 times as many); `same` is the share of
those on which a peer puts all breaks where we do, `not worse` that on which it costs no less.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from terradrift.detect import changepoints

LEAST = 2
DIMENSIONS = 32
HISTORIES = 2000

Breaks = list[list[int]]
Found = Breaks | np.ndarray | changepoints.Breaks


def series(n: int, t: int, r: int, breaks: int, seed: int) -> np.ndarray:
    """(n, t, r) noise with up to `breaks` steps of about three times the noise."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, t, r))
    for _ in range(breaks):
        at = random.integers(5, t - 5, n)
        step = (
            random.normal(size=(n, r)) * (3 / r**0.25) * (random.random((n, 1)) < 0.7)
        )
        values += (np.arange(t) >= at[:, None])[..., None] * step[:, None]
    return values


def penalty(values: np.ndarray) -> float:
    """One for all series: what they are told has to be the same for every side."""
    return (2.0 + values.shape[2]) * float(np.log(values.shape[1]))


def ours(values: np.ndarray, several: bool) -> Found:
    clear = np.ones(values.shape[:2], bool)
    if several:
        return changepoints.segment(values, clear, penalty(values), LEAST)
    return changepoints.single(values, clear, LEAST)


def listed(found: Found, n: int) -> Breaks:
    """Each side's answer as lists, which it is not timed for."""
    if isinstance(found, changepoints.Breaks):
        edges = np.searchsorted(found.row, np.arange(1, n))
        return [part.tolist() for part in np.split(found.first, edges)]
    if isinstance(found, np.ndarray):
        return [[int(at)] for at in found]
    return found


def ours_twin(values: np.ndarray, several: bool) -> Found:
    os.environ["TERRADRIFT_KERNELS"] = "off"
    return ours(values, several)


def ruptures_by(name: str, **kwargs: object) -> Callable[[np.ndarray, bool], Breaks]:
    def side(values: np.ndarray, several: bool) -> Breaks:
        import ruptures

        told = {"pen": penalty(values)} if several else {"n_bkps": 1}
        make = getattr(ruptures, name)
        return [
            make(min_size=LEAST, **kwargs).fit(one).predict(**told)[:-1]
            for one in values
        ]

    return side


SIDES = {
    "ours": ours,
    "ours without kernels": ours_twin,
    "Binseg": ruptures_by("Binseg", model="l2", jump=1),
    "Dynp": ruptures_by("Dynp", model="l2", jump=1),
    "Pelt": ruptures_by("Pelt", model="l2", jump=1),
    "KernelCPD": ruptures_by("KernelCPD", kernel="linear"),
}
JOBS = {
    # dimensions, several breaks, sides
    "one break": (1, False, ("ours", "ours without kernels", "Binseg", "Dynp", "KernelCPD")),
    "several": (1, True, ("ours", "ours without kernels", "Binseg", "Pelt", "KernelCPD")),
    "one break, 32-d": (DIMENSIONS, False, ("ours", "Binseg", "KernelCPD")),
    "several, 32-d": (DIMENSIONS, True, ("ours", "Binseg", "Pelt", "KernelCPD")),
}  # fmt: skip


def cost(values: np.ndarray, breaks: Breaks) -> np.ndarray:
    """Squares left, and the penalty per break."""
    left = []
    for one, at in zip(values, breaks, strict=True):
        parts = np.split(one, at)
        squares = sum(((part - part.mean(axis=0)) ** 2).sum() for part in parts)
        left.append(squares + penalty(values) * len(at))
    return np.array(left)


def work(options: argparse.Namespace) -> None:
    r, several, _ = JOBS[options.job]
    n = options.series if r == 1 else min(options.series, HISTORIES)
    values = series(n, options.dates, r, 4 if several else 1, options.seed)
    slow = {"Binseg", "Dynp", "Pelt"}
    peers = options.peers * (1 if options.side in slow else 20)
    count = n if options.side.startswith("ours") else min(peers, n)
    side, values = SIDES[options.side], values[:count]
    side(values[:2], several)  # imports are not timed
    wall, cpu = [], []
    for _ in range(3 if options.side == "ours" else 1):
        start, used = time.perf_counter(), time.process_time()
        found = side(values, several)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    found = listed(found, count)
    result: dict[str, object] = {
        "series": count,
        "series_s": round(count / min(wall)),
        "series_cpu_s": round(count / min(cpu)),
        "breaks": round(float(np.mean([len(at) for at in found])), 3),
    }
    kept = Path(options.folder) / f"{options.job}.json"
    if options.side == "ours":
        kept.write_text(json.dumps(found))
    else:
        mine = json.loads(kept.read_text())[:count]
        same = [one == other for one, other in zip(mine, found, strict=True)]
        head = slice(0, min(count, 200))
        not_worse = (
            cost(values[head], mine[head]) <= cost(values[head], found[head]) + 1e-9
        )
        result["same"] = round(float(np.mean(same)), 4)
        result["not worse"] = round(float(np.mean(not_worse)), 4)
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--dates", type=int, default=60)
    parser.add_argument("--peers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--job", choices=list(JOBS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options)
        return
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "ruptures": version("ruptures"),
        "series": options.series,
        "dates": options.dates,
    }
    print(json.dumps(about), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for job, (_, _, sides) in JOBS.items():
            rate: dict[str, float] = {}
            for side in sides:
                result = run(options, job, side, folder)
                rate[side] = result["series_cpu_s"]
                if not side.startswith("ours"):
                    result["times_less_cpu"] = round(rate["ours"] / rate[side], 1)
                print(json.dumps({"job": job, "side": side, **result}), flush=True)


def run(options: argparse.Namespace, job: str, side: str, folder: str) -> dict:
    command = [sys.executable, __file__, "--job", job, "--side", side]
    command += ["--folder", folder, "--series", str(options.series)]
    command += ["--dates", str(options.dates), "--peers", str(options.peers)]
    command += ["--seed", str(options.seed)]
    ran = subprocess.run(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


if __name__ == "__main__":
    main()
