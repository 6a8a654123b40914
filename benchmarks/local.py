"""The own no-change set: the published curve, a planted step, windows and persistence, cost.

    python benchmarks/local.py [SHARED] [--docs docs/local-reference.md]
        [--picture docs/images/local-reference.png]

The curve is the local outlier factor of points at so many radii from 12 points of a standard
normal in 10 dimensions, mean over 40 draws, beside what was published of one. The step is in
weekly vectors of which the first 12 are the set. Windows are measured on the transplants, where
13 of 256 patches change for good, by the largest score of a patch and by its middle one.
"""

import argparse
import tempfile
import time
import tracemalloc
from collections import deque
from itertools import product
from pathlib import Path

import numpy as np
from protocols import _between, _lines

import terradrift as td
from terradrift.archive.judge import benching
from terradrift.detect.local.detectors import LocalDistance, LocalLof
from terradrift.detect.local.score import How, judge
from terradrift.evaluate.bench.lines import lines
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.ranked import Largest

PUBLISHED = {1: 0.99, 1.5: 1.07, 2: 1.22, 3: 1.76, 4: 2.31, 6: 3.45}
RADII = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6])


def curve(draws: int = 40, ways: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """(draws, radii) factors and distances."""
    found: tuple[list, list] = ([], [])
    for seed in range(draws):
        random = np.random.default_rng(seed)
        members = random.normal(size=(12, 10))
        way = random.normal(size=(ways, 10))
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        n = ways * len(RADII)
        vectors = np.empty((n, 13, 10), np.float32)
        vectors[:, :12] = members
        vectors[:, 12] = (way[:, None] * RADII[:, None] * 10**0.5).reshape(n, 10)
        days = np.datetime64("2019-03-11") + np.arange(13) * 7
        for detector, each in zip((LocalLof, LocalDistance), found, strict=True):
            score = detector(window="first", guard_days=0).detect(
                days, vectors, np.ones((n, 13), bool)
            )[:, 12]
            each.append(np.median(score.reshape(ways, -1), axis=0))
    return np.array(found[0]), np.array(found[1])


def step(seed: int = 1) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Days, and scores by name, of one patch that changes on 23 September."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2019-03-11") + np.arange(42) * 7
    season = np.sin(2 * np.pi * np.arange(42) * 7 / 365)[:, None]
    vectors = (
        1 + 0.1 * random.normal(size=(42, 24)) + 0.06 * season * random.normal(size=24)
    )
    vectors[28:] += 0.35 * random.normal(size=24)
    clear = np.ones((1, 42), bool)
    scores = {}
    for window in ("first", "past"):
        for name, detector in (("LOF", LocalLof), ("distance", LocalDistance)):
            scores[f"{name}, {window}"] = detector(window=window, guard_days=0).detect(
                days, vectors[None].astype(np.float16), clear
            )[0]
    return days, clear, scores


def picture(path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    factor, distance = curve()
    days, _, scores = step()
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    for axis, values, name in zip(
        axes,
        (factor, distance),
        ("local outlier factor", "distance, robust sd"),
        strict=False,
    ):
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
        axis.fill_between(RADII, low, high, color="#9bbad1", label="90 % of draws")
        axis.plot(RADII, middle, color="#1f5f8b", label="median")
        axis.set_xlabel("distance from the middle, radii of the set")
        axis.set_ylabel(name)
        axis.axvline(1, color="#888888", linewidth=0.8, linestyle=":")
    axes[0].plot(
        *zip(*PUBLISHED.items(), strict=True), "o", color="#c0392b", label="published"
    )
    axes[0].legend(frameon=False, fontsize=8)
    for name, colour in (("first", "#1f5f8b"), ("past", "#c77f00")):
        axes[2].plot(
            days.astype(object),
            scores[f"LOF, {name}"],
            color=colour,
            label=f"set: {name}",
        )
    axes[2].axvline(
        days[28].astype(object), color="#888888", linewidth=0.8, linestyle=":"
    )
    axes[2].set_ylabel("local outlier factor")
    axes[2].set_title("a step on 23 September, weekly", fontsize=9)
    axes[2].legend(frameon=False, fontsize=8)
    axes[2].set_xticks(days[3::13].astype(object))
    axes[2].tick_params(axis="x", labelsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def windows(shared: Path) -> list[tuple[str, ...]]:
    """Average precision by window and by what of a patch's scores ranks it."""
    place = shared / "data/s2-flanders-2018-transplant"
    truth = benching.Truthful(
        labels=place / "truth/changes.geojson", reading=Reading(), any_touch=True
    )
    head = (
        "detector",
        "set",
        *(f"{m}: {q}" for m in ("mosaiks", "spectral") for q in ("largest", "middle")),
    )
    rows: dict[tuple[str, str], list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        archive = td.create(Path(folder) / "a.td", td.Grid(40))
        archive.ingest(place)
        floor = ""
        for model in ("mosaiks", "spectral"):
            archive.embed(model, quiet=True, current=False)
            site, _ = benching.site_of(archive.store, model, truth)
            made = []
            for kind, (window, count) in product(
                (LocalDistance, LocalLof),
                (("past", 12), ("first", 12), ("first", 24), ("last", 12)),
            ):
                detector = kind(window=window, reference=count)
                told = "all the past" if window == "past" else f"{window} {count}"
                made += [
                    Largest(
                        name=f"{kind.__name__}|{told}", detector=detector, quantile=q
                    )
                    for q in (1.0, 0.5)
                ]
            for line in lines(made, site):
                key = tuple(line.detector.split("|"))
                ranking = line.evaluation.ranking
                floor = f"{ranking.floor:.3f}"
                ap = ranking.average_precision
                rows.setdefault(key, []).append(
                    f"{ap.value:.3f} ({ap.low:.2f} to {ap.high:.2f})"
                )
    chance = ("chance", "-", *[floor] * 4)
    return [head, *((*key, *cells) for key, cells in rows.items()), chance]


def cost() -> list[tuple[str, ...]]:
    """Patches per CPU second, every date clear, and what it takes beside its input.

    With the members left out of their sets, as p-values need them.
    """
    random = np.random.default_rng(0)
    rows = [
        ("detector", "dates", "dimensions", "patches / CPU s", "peak beside input, MB")
    ]
    for dates, width in ((60, 64), (60, 384), (200, 64), (200, 384)):
        days = np.datetime64("2017-01-01") + np.arange(dates) * 6
        vectors = random.normal(size=(90_000 // dates, dates, width))
        vectors = vectors.astype(np.float16)
        for detector in (LocalDistance(), LocalLof(), LocalLof(neighbours=10)):
            few = "" if detector.how().neighbours is None else ", 10 neighbours"
            spent, peak = _spent(detector.how(members=8), days, vectors)
            told = f"{len(vectors) / spent:,.0f}", f"{peak:.0f}"
            name = f"{type(detector).__name__}{few}"
            rows.append((name, str(dates), str(width), *told))
    return rows


def _spent(how: How, days: np.ndarray, vectors: np.ndarray) -> tuple[float, float]:
    """CPU seconds, and the peak in MB on a fifth of the patches."""
    clear = np.ones(vectors.shape[:2], bool)
    start = time.process_time()
    deque(judge(days, vectors, clear, how), maxlen=0)
    spent = time.process_time() - start
    some = len(vectors) // 5
    tracemalloc.start()
    deque(judge(days, vectors[:some], clear[:some], how), maxlen=0)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return spent, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args()
    if chosen.picture is not None:
        picture(chosen.picture)
    for marker, rows in (("windows", windows(chosen.shared)), ("cost", cost())):
        text = "\n".join(_lines(rows))
        print(f"\n{marker}\n{text}")
        if chosen.docs is not None:
            _between(chosen.docs, f"local:{marker}", text)


if __name__ == "__main__":
    main()
