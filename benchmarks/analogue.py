"""Analogue control against the all-pairs prototype, and how its cost grows.

    python benchmarks/analogue.py [--pairs 1000,2000,4000] [--sizes 12500,25000,50000,100000]

Synthetic histories of 60 dates x 32 components (what 384 are reduced to), 70 % clear, in
200 covers with their own seasons. The prototype is the formula as first written: distances
of all pairs of histories kept up to date after date, the 40 nearest by `argpartition`, the
weighted mean as expectation. Each measurement runs in a process of its own, on one thread;
CPU seconds and peak memory are its own. Ours has a pool of at most 4,096 patches.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import observe
from terradrift.detect.analogue import Histories
from terradrift.detect.placebo import Placebo
from terradrift.detect.pool import Pool
from terradrift.detect.settings import Settings
from terradrift.threads import single_blas

DATES, COMPONENTS, COVERS, CLEAR, BLOCK, POOL = 60, 32, 200, 0.7, 1000, 4096


def block(start: int, n: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Patches `start` up to `start + n`."""
    world = np.random.default_rng(0)
    level = world.normal(size=(COVERS, 1, COMPONENTS)).astype(np.float32)
    swing = world.normal(size=(COVERS, 1, COMPONENTS)).astype(np.float32)
    random = np.random.default_rng(1 + start)
    cover = random.integers(0, COVERS, n)
    phase = 2 * np.pi * np.arange(DATES, dtype=np.float32)[None, :, None] * 12 / 365
    vectors = level[cover] + 0.5 * np.sin(phase) * swing[cover]
    vectors += 0.3 * random.standard_normal(vectors.shape, np.float32)
    clear = random.random((n, DATES)) < CLEAR
    return np.where(clear[..., None], vectors, np.float32(0)), clear


def prototype(n: int) -> int:
    """All pairs at once; returns the observations that were judged."""
    vectors, clear = block(0, n)
    squared, shared = np.zeros((2, n, n), np.float32)
    judged = 0
    for at in range(DATES):
        rows = np.flatnonzero(clear[:, at])
        one = vectors[rows, at]
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = np.sqrt(squared[np.ix_(rows, rows)] / shared[np.ix_(rows, rows)])
        apart[shared[np.ix_(rows, rows)] == 0] = np.inf
        np.fill_diagonal(apart, np.inf)
        near = np.argpartition(apart, 40, axis=1)[:, :40]
        distance = np.take_along_axis(apart, near, 1)
        known = np.isfinite(distance).all(axis=1)
        distance, near = distance[known], near[known]
        weight = np.exp(-4 * distance / np.median(distance, axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        residual = one[known] - np.einsum("mk,mkr->mr", weight, one[near])
        judged += len(residual)
        length = (one * one).sum(1)
        gap = np.maximum(length[:, None] + length - 2 * one @ one.T, 0)
        squared[np.ix_(rows, rows)] += gap
        shared[np.ix_(rows, rows)] += 1
    return judged


def ours(n: int) -> int:
    """The pool by itself, then block after block beside it."""
    settings = Settings()
    days = np.datetime64("2018-01-01", "D") + 12 * np.arange(DATES)
    vectors, clear = block(0, min(n, POOL))
    unknown = np.full(clear.shape, np.nan, np.float32)
    ids = np.array([f"p{k:06d}" for k in range(len(clear))])
    pool = Pool(ids, days, vectors, clear, unknown)
    placebo, _, _ = Placebo.of(pool, np.zeros(0, np.int64), settings)
    judged = 0
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        patches = Histories(*block(10**6 + start, size))
        every, outside = np.arange(DATES), np.full(size, -1)
        found = observe.beside(patches, every, outside, pool, settings)
        ranked = placebo.rank(found, every, outside, settings)
        judged += int(np.isfinite(ranked.p_value).sum())
    return judged


def measure(name: str, n: int) -> dict[str, float]:
    """CPU seconds and peak memory of one run in a process of its own."""
    out = subprocess.run(
        [sys.executable, __file__, "--one", name, "--n", str(n)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found: dict[str, float] = json.loads(out)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", default="1000,2000,4000,8000")
    parser.add_argument("--sizes", default="8000,16000,32000")
    parser.add_argument("--one", choices=("prototype", "ours"))
    parser.add_argument("--n", type=int)
    asked = parser.parse_args()
    if asked.one:
        begin = time.process_time()
        with single_blas():
            judged = (prototype if asked.one == "prototype" else ours)(asked.n)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        spent = time.process_time() - begin
        print(json.dumps({"cpu": spent, "gb": peak, "judged": judged}))
        return
    for name, sizes in (("prototype", asked.pairs), ("ours", asked.sizes)):
        before: tuple[int, float] | None = None
        for n in (int(size) for size in sizes.split(",") if size):
            found = measure(name, n)
            text = f"{name:<10} {n:>7} patches  {found['cpu']:>7.1f} CPU s  "
            text += f"{found['gb']:.2f} GB  {found['judged']:>9,.0f} judged"
            if before is not None:
                grown = np.log(found["cpu"] / before[1]) / np.log(n / before[0])
                text += f"  exponent {grown:.2f}"
            print(text, flush=True)
            before = n, found["cpu"]


if __name__ == "__main__":
    main()
