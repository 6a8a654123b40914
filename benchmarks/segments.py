"""Features of regions: weighted sums over cells against the map upsampled to every pixel.

The published code (Li et al. 2026) brings the 256 x 64 x 64 map of each tile to all its
pixels and takes the mean of those of a region; that is computed here in the same words, each
way in a process of its own, on the same labels and maps. Then the whole judging of one window
of many dates, with its cost.

    python benchmarks/segments.py [--side 2048] [--regions 4000]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from scipy import ndimage

from terradrift.detect.segments import features, judge, superpixels
from terradrift.detect.segments.labels import areas
from terradrift.detect.segments.settings import Settings

CELLS, DIMENSIONS = 64, 256


def labels(side: int, regions: int) -> np.ndarray:
    """Voronoi regions of random seeds."""
    random = np.random.default_rng(0)
    seeds = random.integers(0, side, (regions, 2))
    marks = np.zeros((side, side), np.int32)
    marks[tuple(seeds.T)] = np.arange(1, regions + 1)
    nearest = ndimage.distance_transform_edt(
        marks == 0, return_distances=False, return_indices=True
    )
    _, found = np.unique(marks[tuple(nearest)], return_inverse=True)
    return (found.reshape(side, side) + 1).astype(np.int32)


def dense() -> np.ndarray:
    random = np.random.default_rng(1)
    return random.normal(size=(DIMENSIONS, CELLS, CELLS)).astype(np.float32)


def upsampled(given: np.ndarray, cells: np.ndarray, side: int) -> np.ndarray:
    """Means over all pixels of each region of the map at every pixel, region by region.

    Regions are found by one sort, which is kinder than a mask of the image per region.
    """
    at = np.floor((np.arange(side) + 0.5) * CELLS / side).astype(int)
    full = cells[:, at[:, None], at].reshape(DIMENSIONS, -1)
    order = np.argsort(given, axis=None, kind="stable")
    ends = np.cumsum(areas(given))
    return np.stack(
        [
            full[:, order[a:b]].mean(axis=1)
            for a, b in zip([0, *ends], ends, strict=False)
        ]
    )


def weighted(given: np.ndarray, cells: np.ndarray, side: int) -> np.ndarray:
    inside = features.overlap(given, (CELLS, CELLS), side / CELLS)
    return features.region_means(inside, features.weighted(cells))


WAYS = {"upsampled": upsampled, "weighted": weighted}


def one(way: str, folder: Path) -> dict[str, object]:
    given, cells = np.load(folder / "labels.npy"), np.load(folder / "dense.npy")
    # The peak of a process that was forked counts that of the one it came from.
    tracemalloc.start()
    start = time.process_time()
    found = WAYS[way](given, cells, len(given))
    cpu = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    np.save(folder / f"{way}.npy", found)
    return {"way": way, "cpu_s": cpu, "mb": peak / 1e6}


def window(side: int = 512, dates: int = 12) -> dict[str, object]:
    """Regions and judging of the last date of a window with cells of 4 pixels."""
    random = np.random.default_rng(2)
    smooth = ndimage.gaussian_filter(random.normal(size=(10, side, side)), (0, 4, 4))
    base = (0.2 + 0.5 * smooth).astype(np.float32)
    frames = [
        base + random.normal(0, 0.01, base.shape).astype(np.float32) for _ in range(2)
    ]
    settings = Settings()
    history = judge.History(4)
    clear = np.ones((side, side), bool)
    cells = random.normal(size=(DIMENSIONS, side // 4, side // 4)).astype(np.float32)
    for _ in range(dates):
        history.add(
            cells + random.normal(0, 0.1, cells.shape).astype(np.float32), clear
        )
    start = time.process_time()
    regions = superpixels.regions(*frames, gsd=10, settings=settings)
    middle = time.process_time()
    found = history.judge(regions, settings=settings)
    end = time.process_time()
    return {
        "regions": int(regions.max()),
        "segment_mpx_s": side**2 / (middle - start) / 1e6,
        "judge_mpx_s": side**2 / (end - middle) / 1e6,
        "dates": dates,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "scored": int(np.isfinite(found.p_value).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--regions", type=int, default=4000)
    parser.add_argument("--one", choices=[*WAYS, "window"])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.one:
        told = window() if given.one == "window" else one(given.one, given.folder)
        print(json.dumps(told))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "labels.npy", labels(given.side, given.regions))
        np.save(folder / "dense.npy", dense())
        lines = []
        for way in [*WAYS, "window"]:
            command = [sys.executable, __file__, "--one", way, "--folder", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            lines.append(json.loads(done.stdout))
            print(lines[-1], flush=True)
        found, other = (np.load(folder / f"{way}.npy") for way in WAYS)
    print(
        f"largest difference {np.abs(found - other).max():.1e}; weighted sums take "
        f"{lines[0]['cpu_s'] / lines[1]['cpu_s']:.0f} times less CPU time and "
        f"{lines[0]['mb'] / lines[1]['mb']:.0f} times less memory"
    )


if __name__ == "__main__":
    main()
