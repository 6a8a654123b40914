"""How good changes are on real series with known truth, beside simple baselines.

    python benchmarks/quality.py [SHARED] [--sets transplant,vaia,...] [--sensitivity]
    python benchmarks/quality.py --sets simulator,simulator-quiet [--seeds 11,12,...]

For each set: average precision (AP) and ROC-AUC of the score of the strongest candidate of
every patch, reported or not; the floor of chance; of what is reported, recall, plain
precision, error of the onset and false alarms per 1,000 km2 and year on unchanged ground,
and these at the recall that detection had before patches could have several changes
(`BEFORE`). Patches that lie partly outside the truth are not judged. The baselines use band
means of the same patches and dates. `--sensitivity` repeats the first
sets over a range of every setting. The simulated sets were not looked at while the defaults
were developed.
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import _simulator
import numpy as np
from _baselines import baselines
from _quality import (
    MODELS,
    THREADS,
    alarms,
    found,
    histories,
    line,
    patch_scores,
    reported,
    truth,
)
from numpy.typing import NDArray

import terradrift as td
from terradrift.detect.block import Block
from terradrift.detect.settings import Settings
from terradrift.evaluate import measures as evaluate
from terradrift.series import Series
from terradrift.store.series import blocks


@dataclass(frozen=True)
class Case:
    """A data set, its patch size, and the truth raster with dates of its values."""

    folder: str
    patch_size: int
    truth: str = ""
    onsets: tuple[tuple[int, str], ...] = ()


CASES = {
    "transplant": Case(
        "s2-flanders-2018-transplant",
        40,
        "truth/change_id.tif",
        ((1, "2018-05-16"), (2, "2018-08-17")),
    ),
    "vaia": Case("s2-ndvi-vaia-2018", 20, "truth/windthrow.tif", ((1, "2018-10-29"),)),
    "wildfires": Case("s2-wildfires-california", 100),
    "flanders": Case("s2-flanders-2018", 40),
    "tanzania": Case("s2-tanzania-2019-2021", 40),
    "belgium": Case("s2-belgium-monthly-2021", 40),
    "landsat": Case("l8-flanders-2018", 60),
}

BEFORE = {
    ("transplant", "mosaiks"): (1.0, 0.181),
    ("transplant", "spectral"): (0.923, 0.222),
    ("vaia", "mosaiks"): (0.908, 0.111),
    ("vaia", "spectral"): (0.908, 0.216),
}
"""Recall, and share of unchanged patches reported, by the defaults of commit 6dab90e."""

RANGES: dict[str, tuple[object, ...]] = {
    "variant": ("centroid", "medoid", "nearest"),
    "controls": (10, 20, 40, 80),
    "min_clear": (50.0, 70.0, 90.0),
    "min_segment": (2, 3, 5),
    "dimensions": (8, 16, 32, 64),
    "pool": (64, 128, 4096),
    "outlier": (1.5, 2.0, 3.0),
    "floor": (0.1, 0.3, 1.0),
    "seed": (0, 1, 2),
}


def labels(case: Case, sampled: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) change id, 0 unchanged, -1 uncertain, or partly outside the truth."""
    inside = np.isfinite(sampled).mean(axis=1) >= 0.99
    if "change_id" in case.truth:  # a patch that touches changed pixels is changed
        return np.where(inside, np.nanmax(sampled, axis=1), -1).astype(int)
    changed, same = (sampled == 1).mean(axis=1), (sampled == 0).mean(axis=1)
    known = np.where(changed >= 0.5, 1, np.where(same >= 0.99, 0, -1))
    return np.where(inside, known, -1)


def onset_errors(
    case: Case, series: list[Series], judged: list[Block], label: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days, and clear acquisitions, between onset and truth, of the changed patches."""
    days, acquisitions, start = [], [], 0
    true = dict(case.onsets)
    for part, block in zip(series, judged, strict=True):
        clear = np.nan_to_num(part.clear_percent) >= Settings().min_clear
        for row in np.unique(block.changes.row):
            onset = block.patches.onset[row]
            kind = int(label[start + row])
            if kind <= 0:
                continue
            began = np.datetime64(true[kind], "D")
            days.append((onset.astype("datetime64[D]") - began).astype(int))
            own = part.days[clear[row]]
            reached = np.searchsorted(own, began)
            acquisitions.append(
                np.searchsorted(own, onset.astype("datetime64[D]")) - reached
            )
        start += len(part)
    return np.abs(np.array(days, float)), np.abs(np.array(acquisitions, float))


def told(
    case: Case, series: list[Series], judged: list[Block], label: NDArray[np.int64]
) -> str:
    """What is reported: found, right, when, and how much of it is false."""
    days, acquisitions = onset_errors(case, series, judged, label)
    known = reported(judged)
    span = np.ptp(np.concatenate([part.days for part in series]))
    hits, false = (known & (label > 0)).sum(), (known & (label == 0)).sum()
    same = (label == 0).sum()
    area = same * (case.patch_size / 1000) ** 2
    rate = alarms(int(false), area, span / np.timedelta64(1, "D"))
    return (
        f"    found {hits} of {(label > 0).sum()} changed patches; precision "
        f"{hits / max(hits + false, 1):.2f}; onset error "
        f"median {np.median(days):.0f} days, {np.median(acquisitions):.0f} clear "
        f"acquisitions, {(acquisitions <= 2).mean():.0%} within two; "
        f"{false / same:.1%} of {same} unchanged patches reported, {rate:.0f} per "
        "1,000 km2 and year"
    )


def at_recall(
    name: str, model: str, score: NDArray[np.float64], label: NDArray[np.int64]
) -> str:
    """Unchanged patches that score as much as it takes to find what was found before."""
    recall, before = BEFORE[name, model]
    true = np.sort(score[label > 0])
    least = true[len(true) - round(recall * len(true))]
    now = (score[label == 0] >= least).mean()
    return (
        f"    at the recall of before, {recall:.2f}: {now:.1%} of the unchanged patches, "
        f"before {before:.1%}"
    )


def with_truth(name: str, case: Case, archive: td.Archive, root: Path) -> None:
    spectral = histories(archive, "spectral")
    label = labels(case, truth(spectral, root / case.truth, case.patch_size))
    known = label >= 0
    print(f"{name}: {len(label)} patches, floor {evaluate.floor(label[known] > 0):.3f}")
    for model in MODELS:
        series = histories(archive, model)
        judged = found(series, Settings())
        print(line(f"terradrift, {model}", label, patch_scores(judged)))
        print(told(case, series, judged, label))
        print(at_recall(name, model, patch_scores(judged), label))
    bands = len(archive.store.settings.bands)
    for baseline, score in baselines(spectral, bands).items():
        print(line(baseline, label, score))


def events_of_truth(case: Case, archive: td.Archive, root: Path) -> None:
    """Rank of the best event that holds each true change."""
    for model in MODELS:
        archive.detect(model, quiet=True, threads=THREADS)
        changes = archive.store.scan(f"changes_{model}").read_all().to_pandas()
        events = archive.store.scan(f"events_{model}").read_all().to_pandas()
        series = list(blocks(archive.store, model))
        label = labels(case, truth(series, root / case.truth, case.patch_size))
        ids = np.concatenate([part.patch_ids for part in series])
        of_patch = dict(zip(ids, label, strict=True))
        kind = changes["patch_id"].map(of_patch)
        rank = events.set_index("event_id")["rank"]
        ranks = {
            int(value): int(rank[changes["event_id"][kind == value]].min())
            for value in sorted(set(label[label > 0]))
            if (kind == value).any()
        }
        print(f"  {model}: rank of the event of each change {ranks} of {len(events)}")


def wildfires(case: Case, archive: td.Archive, root: Path) -> None:
    fires = sorted((root / "truth").glob("*_burned.tif"))
    results: dict[str, list[float]] = {}
    spectral = histories(archive, "spectral")
    bands = len(archive.store.settings.bands)
    shares = {}
    for fire in fires:
        sampled = truth(spectral, fire, case.patch_size)
        inside = np.isfinite(sampled).mean(axis=1) >= 0.8
        with np.errstate(invalid="ignore"):
            burned = (sampled == 1).sum(axis=1) / np.isfinite(sampled).sum(axis=1)
        shares[fire] = inside, burned >= 0.5
    scores = {"cosine of bands": next(iter(baselines(spectral, bands).values()))}
    for model in MODELS:
        judged = found(histories(archive, model), Settings())
        scores[f"drift, {model}"] = np.concatenate(
            [np.nan_to_num(block.scores.drift).max(axis=1) for block in judged]
        )
    for name, score in scores.items():
        for inside, burned in shares.values():
            results.setdefault(name, []).append(
                evaluate.roc_auc(burned[inside], score[inside])
            )
    print("wildfires: ROC-AUC per fire of drift (two dates)")
    for name, aucs in results.items():
        each = " ".join(f"{auc:.2f}" for auc in aucs)
        print(f"  {name:<38} mean {np.mean(aucs):.3f}  {each}")


def without_truth(name: str, case: Case, archive: td.Archive) -> None:
    print(f"{name}: no lasting change is known here")
    for model in MODELS:
        series = histories(archive, model)
        judged = found(series, Settings())
        score, known = patch_scores(judged), reported(judged)
        span = np.ptp(np.concatenate([part.days for part in series]))
        area = len(score) * (case.patch_size / 1000) ** 2
        rate = alarms(int(known.sum()), area, span / np.timedelta64(1, "D"))
        lasting = sum((b.changes.persistence == "persistent").sum() for b in judged)
        top = " ".join(f"{value:.1f}" for value in np.sort(score)[::-1][:5])
        print(
            f"  {model:<38} {known.mean():.1%} of {len(score)} patches reported "
            f"({rate:.0f} per 1,000 km2 and year), {lasting} changes lasting; highest scores {top}"
        )


def sensitivity(name: str, case: Case, archive: td.Archive, root: Path) -> None:
    print(f"{name}: AP / ROC-AUC over a range of each setting, the others at default")
    for model in MODELS:
        series = histories(archive, model)
        label = labels(case, truth(series, root / case.truth, case.patch_size))
        known = label >= 0
        for setting, values in RANGES.items():
            cells = []
            for value in values:
                changed: dict[str, object] = {setting: value}
                score = patch_scores(
                    found(series, replace(Settings(), **changed))  # type: ignore[arg-type]
                )
                true, scored = label[known] > 0, score[known]
                cells.append(
                    f"{value}: {evaluate.average_precision(true, scored):.3f}"
                    f"/{evaluate.roc_auc(true, scored):.3f}"
                )
            print(f"  {model:<9} {setting:<13} " + "  ".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", default="../shared")
    parser.add_argument("--sets", default=",".join((*CASES, *_simulator.SETS)))
    parser.add_argument("--seeds", default="11,12,13", help="of the simulated sets")
    parser.add_argument("--sensitivity", action="store_true")
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        if name in _simulator.SETS:
            _simulator.SETS[name]([int(seed) for seed in asked.seeds.split(",")])
            continue
        case = CASES[name]
        root = Path(asked.shared) / "data" / case.folder
        with tempfile.TemporaryDirectory() as folder:
            archive = td.create(
                Path(folder) / "archive.td", grid=td.Grid(patch_size=case.patch_size)
            )
            archive.ingest(root / "catalog.json")
            if asked.sensitivity:
                sensitivity(name, case, archive, root)
            elif name == "wildfires":
                wildfires(case, archive, root)
            elif case.truth:
                with_truth(name, case, archive, root)
                if name == "transplant":
                    events_of_truth(case, archive, root)
            else:
                without_truth(name, case, archive)


if __name__ == "__main__":
    main()
