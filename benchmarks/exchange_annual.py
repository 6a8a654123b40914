"""Annual embeddings: what `detect` finds of ground that changed in one year of six.

Made rasters of AlphaEarth's form (docs/import.md): 64 bands, 1,024 patches of 80 m, four kinds
of ground, noise of pixels and of each year; 20 patches become a fifth kind in a year and stay
so. Per year of the change, over seeds: how many of the 20 are among the 20 highest drifts of
their year and of all, and what `changes` say under each `min_segment`.

    python benchmarks/exchange_annual.py --seeds 3
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

import terradrift as td
from terradrift.archive.importing import Request, bring
from terradrift.grid import parse_id

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.store.rasters import made

YEARS = range(2018, 2024)
SIDE, PX, BANDS = 32, 8, 64
ROWS, COLS = slice(10, 14), slice(5, 10)


def pixels(year: int, step: int, seed: int) -> NDArray[np.float64]:
    """(h, w, 64) vectors of length 1."""
    fixed, random = np.random.default_rng(seed), np.random.default_rng((seed, year))
    grounds = fixed.normal(size=(5, BANDS))
    which = fixed.integers(0, 4, (SIDE, SIDE))
    if year >= step:
        which[ROWS, COLS] = 4
    vectors = np.repeat(np.repeat(grounds[which], PX, 0), PX, 1)
    vectors = vectors + 0.6 * random.normal(size=vectors.shape)
    vectors += 0.3 * random.normal(size=BANDS)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def planted(patch: str) -> bool:
    """Whether the patch's ground changed."""
    _, row, col = parse_id(patch)
    row = SIDE - 1 - (row - round(made.SOUTH / 80))
    col -= round(made.WEST / 80)
    return ROWS.start <= row < ROWS.stop and COLS.start <= col < COLS.stop


def judged(folder: Path, step: int, seed: int) -> dict[str, tuple[int, int, int]]:
    """By setting: planted patches found, with the right year, and other patches."""
    for year in YEARS:
        made.alphaearth(folder / "in", year, pixels(year, step, seed))
    place = folder / "a.td"
    bring(place, [folder / "in"], Request(patch_size=80))
    archive = td.open(place)
    found: dict[str, tuple[int, int, int]] = {}
    for least in (3, 2, 1):
        archive.detect(quiet=True, min_segment=least)
        text = "SELECT patch_id, year(onset) FROM changes"
        rows = archive.sql(text).fetchall()
        ours = {patch: when for patch, when in rows if planted(patch)}
        right = sum(when == step for when in ours.values())
        others = len({patch for patch, _ in rows if not planted(patch)})
        found[f"changes, min_segment {least}"] = len(ours), right, others
    top = archive.sql(
        "SELECT patch_id, year(datetime) FROM scores ORDER BY drift DESC NULLS LAST LIMIT 20"
    ).fetchall()
    ours = {patch: when for patch, when in top if planted(patch)}
    right = sum(when == step for when in ours.values())
    found["20 highest drifts"] = len(ours), right, 20 - len(ours)
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    print("| changed in | by | of 20 | in the right year | other patches |")
    print("| --- | --- | --- | --- | --- |")
    for step in YEARS[1:]:
        sums: dict[str, NDArray[np.int64]] = {}
        for seed in range(seeds):
            with TemporaryDirectory() as folder:
                for by, counts in judged(Path(folder), step, seed).items():
                    sums[by] = sums.get(by, np.zeros(3, np.int64)) + counts
        for by, total in sums.items():
            ours, right, others = total / seeds
            print(
                f"| {step} | {by} | {ours:.1f} | {right:.1f} | {others:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
