"""How good changes are on real series with known truth, beside simple baselines.

    python benchmarks/quality.py [SHARED] [--sets transplant,vaia,...] [--sensitivity]

For each set: average precision (AP) and ROC-AUC of the maximum change score per patch, the
floor of chance, the error of the onset and what was reported where nothing changed. The
baselines use band means of the same patches and dates. `--sensitivity` repeats the first
set over a range of every setting and over seeds of the model.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray

import terradrift as td
from terradrift.detect import drift, evaluate
from terradrift.detect.block import Block
from terradrift.detect.calibrate import masked_median
from terradrift.detect.run import detect
from terradrift.detect.settings import Settings
from terradrift.series import Series
from terradrift.store.series import blocks

MODELS = ("mosaiks", "spectral")
THREADS = 2


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

RANGES: dict[str, tuple[object, ...]] = {
    "variant": ("centroid", "medoid", "nearest"),
    "controls": (10, 20, 40, 80),
    "min_clear": (50.0, 70.0, 90.0),
    "min_segment": (2, 3, 5),
    "dimensions": (8, 16, 32, 64),
    "pool": (64, 128, 4096),
    "outlier": (1.5, 2.0, 3.0),
    "neighbours": (5, 10, 20),
    "floor": (0.1, 0.3, 1.0),
    "min_score": (0.0, 1.5, 2.5),
    "min_strength": (1.0, 2.0, 3.0),
    "min_aside": (0.0, 1.5, 2.0),
    "seed": (0, 1, 2),
}


def histories(archive: td.Archive, model: str) -> list[Series]:
    """Embed, and read back all series."""
    archive.embed(model, quiet=True, threads=THREADS)
    return list(blocks(archive.store, model))


def found(series: list[Series], settings: Settings) -> list[Block]:
    return list(
        detect(
            lambda: iter(series), settings, threads=THREADS, advance=lambda _done: None
        )
    )


def patch_scores(judged: list[Block]) -> NDArray[np.float64]:
    """Maximum change score per patch, 0 without a change."""
    parts = []
    for block in judged:
        score = np.zeros(len(block.patch_ids))
        np.maximum.at(score, block.changes.row, block.changes.score)
        parts.append(score)
    return np.concatenate(parts)


def truth(series: list[Series], path: Path, patch_size: int) -> NDArray[np.float64]:
    """(n, 100) truth values at points spread over each patch, NaN outside the raster."""
    with rasterio.open(path) as raster:
        values, transform, crs = raster.read(1), raster.transform, raster.crs
    steps = (np.arange(10) + 0.5) / 10
    dx, dy = np.tile(steps, 10), np.repeat(steps, 10)
    rows = []
    for epsg, row, col in np.concatenate([part.cells for part in series]):
        x, y = (col + dx) * patch_size, (row + dy) * patch_size
        if crs.to_epsg() != epsg:
            to = pyproj.Transformer.from_crs(int(epsg), crs, always_xy=True)
            x, y = to.transform(x, y)
        at_col, at_row = (np.floor(axis).astype(int) for axis in ~transform * (x, y))
        inside = (at_col >= 0) & (at_col < values.shape[1])
        inside &= (at_row >= 0) & (at_row < values.shape[0])
        sampled = np.full(len(x), np.nan)
        sampled[inside] = values[at_row[inside], at_col[inside]]
        rows.append(sampled)
    return np.array(rows)


def labels(case: Case, sampled: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) change id, 0 unchanged, -1 uncertain."""
    if "change_id" in case.truth:  # a patch that touches changed pixels is changed
        return np.nanmax(sampled, axis=1).astype(int)
    changed, same = (sampled == 1).mean(axis=1), (sampled == 0).mean(axis=1)
    return np.where(changed >= 0.5, 1, np.where(same >= 0.99, 0, -1))


def baselines(series: list[Series], bands: int) -> dict[str, NDArray[np.float64]]:
    """Patch scores by band means, which lead the spectral vectors."""
    out: dict[str, list[NDArray[np.float64]]] = {}
    for part in series:
        clear = np.nan_to_num(part.clear_percent) >= Settings().min_clear
        means = part.vectors[..., :bands].astype(np.float32)
        for name, score in _simple(means, clear):
            out.setdefault(name, []).append(score)
    return {name: np.concatenate(parts) for name, parts in out.items()}


def _simple(
    means: NDArray[np.float32], clear: NDArray[np.bool_]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    n, t = clear.shape
    unit = drift.unit(means)
    cosine, median, four = np.zeros((3, n))
    away = np.full((n, t), np.nan)
    for at in range(1, t):
        before = clear.copy()
        before[:, at:] = False
        rows = np.flatnonzero(clear[:, at] & before.any(axis=1))
        last = t - 1 - before[rows, ::-1].argmax(axis=1)
        step = 1 - np.einsum("nd,nd->n", unit[rows, at], unit[rows, last])
        cosine[rows] = np.maximum(cosine[rows], step)
        past = masked_median(means[rows], before[rows])
        away[rows, at] = np.linalg.norm(means[rows, at] - past, axis=1)
        order = np.cumsum(clear & ~before, axis=1)
        next_ = clear & ~before & (order <= 4)
        enough = (next_[rows].sum(axis=1) == 4) & (before[rows].sum(axis=1) >= 4)
        if enough.any():
            rows = rows[enough]
            gap = np.linalg.norm(
                masked_median(means[rows], next_[rows]) - past[enough], axis=1
            )
            four[rows] = np.maximum(four[rows], gap)
    seen = np.isfinite(away).any(axis=1)
    median[seen] = np.nanquantile(away[seen], 0.9, axis=1)
    yield "cosine of bands to the previous date", cosine
    yield "temporal median", median
    yield "four-date median vs history", four


def onset_errors(
    case: Case, series: list[Series], judged: list[Block], label: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days, and clear acquisitions, between onset and truth, of the changed patches."""
    days, acquisitions, start = [], [], 0
    true = dict(case.onsets)
    for part, block in zip(series, judged, strict=True):
        clear = np.nan_to_num(part.clear_percent) >= Settings().min_clear
        for row, onset in zip(block.changes.row, block.changes.onset, strict=True):
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


def line(name: str, label: NDArray[np.int64], score: NDArray[np.float64]) -> str:
    known = label >= 0
    true, value = label[known] > 0, score[known]
    return (
        f"  {name:<38} AP {evaluate.average_precision(true, value):.3f}  "
        f"ROC-AUC {evaluate.roc_auc(true, value):.3f}"
    )


def dated(
    case: Case, series: list[Series], judged: list[Block], label: NDArray[np.int64]
) -> str:
    days, acquisitions = onset_errors(case, series, judged, label)
    years = (
        np.ptp(np.concatenate([part.days for part in series])) / np.timedelta64(1, "D")
    ) / 365.25
    alarms = (patch_scores(judged)[label == 0] > 0).mean() / years
    return (
        f"    found {len(days)} of {(label > 0).sum()} changed patches; onset error "
        f"median {np.median(days):.0f} days, {np.median(acquisitions):.0f} clear "
        f"acquisitions, {(acquisitions <= 2).mean():.0%} within two; "
        f"false alarms {alarms:.3f} per unchanged patch and year"
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
        print(dated(case, series, judged, label))
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


def without_truth(name: str, archive: td.Archive) -> None:
    print(f"{name}: no lasting change is known here")
    for model in MODELS:
        series = histories(archive, model)
        judged = found(series, Settings())
        score = patch_scores(judged)
        lasting = sum((b.changes.persistence == "persistent").sum() for b in judged)
        top = " ".join(f"{value:.1f}" for value in np.sort(score)[::-1][:5])
        print(
            f"  {model:<38} {(score > 0).mean():.1%} of {len(score)} patches reported, "
            f"{lasting / len(score):.1%} as lasting; highest scores {top}"
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
    parser.add_argument("--sets", default=",".join(CASES))
    parser.add_argument("--sensitivity", action="store_true")
    asked = parser.parse_args()
    for name in asked.sets.split(","):
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
                without_truth(name, archive)


if __name__ == "__main__":
    main()
