"""What monitoring finds, how late, at which false alarms; and what a new scene costs.

    python benchmarks/watch.py [SHARED] [--sets transplant,vaia,...] [--model NAME]
    python benchmarks/watch.py --sets simulator,simulator-quiet --seeds 21,22,23
    python benchmarks/watch.py --sets cost

For each set: the alerts asked for per 1,000 km2 and year beside those that unchanged ground
raised, the share of changed patches found, how many alarmed too early, and the quartiles of
the delay in days. Then the same at thresholds that cost all methods equally much, for the
chart and for simple running scores. `cost` takes CPU seconds of `watch` for one new scene
and of `detect` on the same archive, in clean processes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _quality import THREADS, histories, truth
from numpy.typing import NDArray

import terradrift as td
from terradrift.detect.monitor.rules import Rules
from terradrift.evaluate import delay as delays
from terradrift.evaluate.delay import Delay
from terradrift.evaluate.method import Method
from terradrift.evaluate.methods import methods
from terradrift.evaluate.monitor_method import Monitor, patch_km2
from terradrift.ingest.simulate import simulate
from terradrift.series import Series

RATES = (100.0, 1000.0, 10000.0)
"""Asked of the chart, per 1,000 km2 and year."""
EQUAL = (1000.0, 10000.0, 100000.0)
"""At which methods are compared."""
BASELINES = ("previous-date", "temporal-median")
SIZE, DATES, QUIET_DAYS, PATCH = 256, 60, 500, 80


@dataclass(frozen=True)
class Case:
    folder: str
    patch_size: int
    start: str
    truth: str = ""
    onsets: tuple[tuple[int, str], ...] = ()


CASES = {
    "transplant": Case(
        "s2-flanders-2018-transplant",
        40,
        "2018-03-01",
        "truth/change_id.tif",
        ((1, "2018-05-16"), (2, "2018-08-17")),
    ),
    "vaia": Case(
        "s2-ndvi-vaia-2018",
        20,
        "2018-07-01",
        "truth/windthrow.tif",
        ((1, "2018-10-29"),),
    ),
    "flanders": Case("s2-flanders-2018", 40, "2018-03-01"),
    "tanzania": Case("s2-tanzania-2019-2021", 40, "2020-07-01"),
}


@dataclass(frozen=True, eq=False)
class Watched:
    """Series with what is known of their patches."""

    series: list[Series]
    spectral: list[Series]
    """The same patches under `spectral`, whose vectors begin with the means of `bands`."""
    bands: tuple[str, ...]
    start: np.datetime64
    onset: NDArray[np.datetime64]
    """(n,), NaT where unchanged or not known."""
    unchanged: NDArray[np.bool_]


def real(case: Case, shared: Path, folder: Path, model: str) -> Watched:
    root = shared / "data" / case.folder
    archive = td.create(folder / "archive.td", grid=td.Grid(patch_size=case.patch_size))
    archive.ingest(root)
    series = histories(archive, model)
    n = sum(len(part) for part in series)
    onset, same = np.full(n, "NaT", "datetime64[D]"), np.ones(n, bool)
    if case.truth:
        sampled = truth(series, root / case.truth, case.patch_size)
        if "change_id" in case.truth:  # a patch that touches changed pixels is changed
            kind = np.nanmax(sampled, axis=1).astype(int)
        else:
            changed, rest = (sampled == 1).mean(axis=1), (sampled == 0).mean(axis=1)
            kind = np.where(changed >= 0.5, 1, np.where(rest >= 0.99, 0, -1))
        same = kind == 0
        for number, day in case.onsets:
            onset[kind == number] = np.datetime64(day)
    spectral, bands = histories(archive, "spectral"), archive.store.settings.bands
    return Watched(series, spectral, bands, np.datetime64(case.start), onset, same)


def simulated(seed: int, folder: Path, model: str, planted: int | None) -> Watched:
    catalog = simulate(
        folder / "scenes",
        size_px=SIZE,
        dates=DATES,
        seed=seed,
        quiet_days=QUIET_DAYS,
        changes_per_year=planted,
        threads=THREADS,
    )
    archive = td.create(folder / "archive.td", grid=td.Grid(patch_size=PATCH))
    archive.ingest(catalog)
    series = histories(archive, model)
    n = sum(len(part) for part in series)
    onset, same = np.full(n, "NaT", "datetime64[D]"), np.ones(n, bool)
    if planted != 0:
        sampled = truth(series, folder / "scenes" / "truth.tif", PATCH)
        same = (sampled > 0).mean(axis=1) == 0
        features = json.loads((folder / "scenes" / "truth.geojson").read_text())
        for feature in features["features"]:
            inside = (sampled == feature["id"]).mean(axis=1) >= 0.5
            onset[inside] = np.datetime64(feature["properties"]["onset"], "D")
    first = min(part.days[0] for part in series)
    spectral, bands = histories(archive, "spectral"), archive.store.settings.bands
    return Watched(series, spectral, bands, first + QUIET_DAYS, onset, same)


def running(
    method: Method, watched: Watched, series: list[Series]
) -> tuple[NDArray[np.float32], NDArray[np.datetime64]]:
    """The method's scores (n, t) on the days from the start on."""
    frames = method.frames(series)
    days = np.unique(np.concatenate([part.days for part in series]))
    days = days[days >= watched.start]
    whole = np.full((len(watched.onset), len(days)), np.nan, np.float32)
    at = 0
    for part, frame in zip(series, frames or [], strict=True):
        here = part.days >= watched.start
        columns = np.searchsorted(days, part.days[here])
        whole[at : at + len(part), columns] = frame.score[:, here]
        at += len(part)
    return whole, days


def told(name: str, found: Delay) -> str:
    words = (
        f"  {name:<34} false alarms {found.false_alarms:>7,.0f}, one in "
        f"{found.images_between:>9,.0f} images"
    )
    if found.changed:
        low, middle, high = found.days
        words += (
            f"; found {found.found:4.0%} of {found.changed}, early {found.early:3.0%}, "
            f"delay {middle:.0f} ({low:.0f} to {high:.0f}) days"
        )
    return words


def study(name: str, watched: list[Watched]) -> None:
    """Print one set; several archives of it are pooled."""
    monitor = [Monitor(start=one.start) for one in watched]
    levels = [
        running(one, part, part.series)
        for one, part in zip(monitor, watched, strict=True)
    ]
    days = levels[0][1]
    onset = np.concatenate([one.onset for one in watched])
    unchanged = np.concatenate([one.unchanged for one in watched])
    km2 = patch_km2(watched[0].series)
    area = km2 * unchanged.sum()
    span = (days[-1] - days[0]) / np.timedelta64(1, "D") / 365.25
    print(
        f"{name}: {len(watched)} archives, {len(onset)} patches, {len(days)} days from "
        f"{days[0]}; {area * span:.1f} km2 years did not change"
    )
    changed = ~np.isnat(onset)
    # Pooled archives may have other days: put them on the union of all.
    union = np.unique(np.concatenate([one[1] for one in levels]))
    print("  at the chart's own thresholds, by what was asked:")
    fits = [
        one.reference(part.series) for one, part in zip(monitor, watched, strict=True)
    ]
    for rate in RATES:
        # Each archive has a threshold of its own: levels are told in thresholds.
        relative = _stacked(
            [
                (score / fit.tail.threshold(rate * km2 / 1000.0), day)
                for (score, day), fit in zip(levels, fits, strict=True)
                if fit is not None
            ],
            union,
        )
        own = delays.at_threshold(
            relative,
            union,
            onset,
            changed,
            unchanged,
            km2=km2,
            threshold=1.0,
            rate=rate,
        )
        print(told(f"asked {rate:,.0f}", own))
    print("  at equal false alarms, by the ground that did not change:")
    scores = {"monitor": levels}
    for one in methods(list(BASELINES), bands=watched[0].bands):
        scores[one.name] = [running(one, part, part.spectral) for part in watched]
    for rate in EQUAL:
        if rate * area * span / 1000.0 < 1.0:
            print(f"  {rate:,.0f}: less than one alarm on so little ground")
            continue
        for label, parts in scores.items():
            found = delays.at_false_alarms(
                _stacked(parts, union),
                union,
                onset,
                changed,
                unchanged,
                km2=km2,
                rate=rate,
            )
            print(told(f"{label}, at most {rate:,.0f}", found))


def _stacked(
    parts: list[tuple[NDArray[np.floating], NDArray[np.datetime64]]],
    union: NDArray[np.datetime64],
) -> NDArray[np.float64]:
    out = []
    for score, days in parts:
        whole = np.full((len(score), len(union)), np.nan)
        whole[:, np.searchsorted(union, days)] = score
        out.append(whole)
    return np.concatenate(out)


_CHILD = """
import sys, time
import terradrift as td
archive = td.open(sys.argv[1])
started = time.process_time()
if sys.argv[2] == "watch":
    done = archive.watch(quiet=True, threads=1)
elif sys.argv[2] == "begin":
    done = archive.watch(start=sys.argv[3], quiet=True, threads=1)
else:
    done = archive.detect(quiet=True, threads=1)
print(time.process_time() - started, done)
"""


def cost(model: str) -> None:
    """CPU seconds of one new scene, and of all over again, on the same archive."""
    with clean() as folder:
        catalog = simulate(folder / "scenes", size_px=512, dates=60, seed=1)
        archive = td.create(folder / "archive.td", grid=td.Grid(patch_size=40))
        archive.ingest(catalog)
        archive.embed(model, quiet=True, threads=THREADS)
        place = archive.store.root
        days = np.unique(
            np.concatenate([part.days for part in histories(archive, model)])
        )
        last, new = str(days[-2]), str(days[-1])
        table = f"embeddings_{model}"
        # The archive as it was before its last scene: that scene's rows come back later.
        kept = archive.store.scan(
            table, None, f"datetime < TIMESTAMP '{new} 00:00:00Z'"
        )
        rest = archive.store.scan(
            table, None, f"datetime >= TIMESTAMP '{new} 00:00:00Z'"
        )
        rows, fresh = kept.read_all(), rest.read_all()
        archive.store.overwrite(table, rows)
        print(f"cost: {len(np.unique(rows['patch_id']))} patches, {len(days)} days")
        print(f"  begin (learn before {last}): {_child(place, 'begin', last)}")
        archive.store.append(table, fresh)
        print(f"  watch, one new scene: {_child(place, 'watch')}")
        print(f"  detect, all over: {_child(place, 'detect')}")


def _child(place: Path, *words: str) -> str:
    command = [sys.executable, "-c", _CHILD, str(place), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, _, said = done.stdout.partition(" ")
    return f"{float(seconds):.2f} CPU s ({said.strip()})"


@contextmanager
def clean() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--sets", default=",".join(CASES))
    parser.add_argument("--seeds", default="21,22,23")
    parser.add_argument("--model", default="mosaiks")
    chosen = parser.parse_args()
    print(Rules())
    for name in chosen.sets.split(","):
        if name == "cost":
            cost(chosen.model)
        elif name in CASES:
            with clean() as folder:
                study(name, [real(CASES[name], chosen.shared, folder, chosen.model)])
        else:
            planted = 0 if name == "simulator-quiet" else None
            watched = []
            for seed in chosen.seeds.split(","):
                with clean() as folder:
                    watched.append(simulated(int(seed), folder, chosen.model, planted))
            study(name, watched)


if __name__ == "__main__":
    main()
