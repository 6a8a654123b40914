"""The simulated sets of `quality.py`: planted changes of every kind, and none at all.

256 x 256 px of 10 m, 60 dates at 15 days, patches of 80 m; nothing is planted in the first
500 days.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from _quality import MODELS, THREADS, truth
from numpy.typing import NDArray

import terradrift as td
from terradrift.detect.settings import Settings
from terradrift.evaluate import measures as evaluate
from terradrift.ingest.simulate import simulate
from terradrift.series import Series
from terradrift.store.series import blocks

SIZE, DATES, QUIET_DAYS, PATCH = 256, 60, 500, 80
YEARS = DATES * 15 / 365.25
KM2 = (SIZE * 10 / 1000) ** 2


@contextmanager
def archive(seed: int, planted: int | None) -> Iterator[tuple[td.Archive, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "scenes"
        catalog = simulate(
            out,
            size_px=SIZE,
            dates=DATES,
            seed=seed,
            quiet_days=QUIET_DAYS,
            changes_per_year=planted,
            threads=THREADS,
        )
        made = td.create(Path(folder) / "archive.td", grid=td.Grid(patch_size=PATCH))
        made.ingest(catalog)
        for model in MODELS:
            made.embed(model, quiet=True, threads=THREADS)
            made.detect(model, quiet=True, threads=THREADS)
        yield made, out


def tables(made: td.Archive, model: str) -> tuple[list[Series], dict[str, NDArray]]:
    """Series, and per patch in their order: score, first onset, rank of its event."""
    series = list(blocks(made.store, model))
    changes = made.store.scan(f"changes_{model}").read_all().to_pandas()
    events = made.store.scan(f"events_{model}").read_all().to_pandas()
    rank = events.set_index("event_id")["rank"]
    ids = np.concatenate([part.patch_ids for part in series])
    of = changes.set_index("patch_id").reindex(ids)
    return series, {
        "score": np.nan_to_num(of["score"].to_numpy()),
        "onset": _days(of["onset"]),
        "rank": of["event_id"].map(rank).to_numpy(float),
        "lasting": (of["persistence"] == "persistent").to_numpy(),
        "events": np.array(len(events)),
    }


def _days(onset: pd.Series) -> NDArray[np.datetime64]:
    known = pd.to_datetime(onset, utc=True).dt.tz_localize(None)
    return known.to_numpy().astype("datetime64[D]")


def planted(seeds: list[int]) -> None:
    kinds: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    whole: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for seed in seeds:
        with archive(seed, None) as (made, out):
            features = json.loads((out / "truth.geojson").read_text())["features"]
            for model in MODELS:
                series, of = tables(made, model)
                sampled = truth(series, out / "truth.tif", PATCH)
                share = (sampled > 0).mean(axis=1)
                whole[model].append(_measures(share >= 0.5, share == 0, of["score"]))
                for feature in features:
                    true = (sampled == feature["id"]).mean(axis=1) >= 0.5
                    if true.any():
                        began = np.datetime64(feature["properties"]["onset"], "D")
                        kinds[model, feature["properties"]["kind"]].append(
                            _measures(true, share == 0, of["score"])
                            + _dated(true, began, of)
                        )
    print(
        f"simulator: seeds {seeds}, {len(whole[MODELS[0]])} archives of {KM2:.1f} km2"
    )
    for model in MODELS:
        auc, ap, floor = np.mean(whole[model], axis=0)
        print(f"  {model}: all kinds AP {ap:.3f} (floor {floor:.3f}) ROC-AUC {auc:.3f}")
        for (of_model, kind), rows in sorted(kinds.items()):
            if of_model == model:
                print(_kind_line(kind, np.array(rows)))


def _measures(
    true: NDArray[np.bool_], same: NDArray[np.bool_], score: NDArray[np.floating]
) -> tuple[float, float, float]:
    known = true | same
    label, value = true[known], score[known]
    return (
        evaluate.roc_auc(label, value),
        evaluate.average_precision(label, value),
        evaluate.floor(label),
    )


def _dated(
    true: NDArray[np.bool_], began: np.datetime64, of: dict[str, NDArray]
) -> tuple[float, float, float]:
    """Share found, best rank, and median error of the onset in days."""
    hit = true & (of["score"] > 0)
    if not hit.any():
        return 0.0, np.nan, np.nan
    days = np.abs((of["onset"][hit] - began) / np.timedelta64(1, "D"))
    return hit.sum() / true.sum(), float(of["rank"][hit].min()), float(np.median(days))


def _kind_line(kind: str, rows: NDArray[np.float64]) -> str:
    auc, ap, floor, recall = rows[:, :4].mean(axis=0)
    seen = rows[np.isfinite(rows[:, 4])]
    ranks = " ".join(f"{value:.0f}" for value in np.sort(seen[:, 4])) or "none"
    days = f"{np.median(seen[:, 5]):.0f}" if len(seen) else "-"
    return (
        f"    {kind:<13} {len(rows):>2} planted  ROC-AUC {auc:.3f}  AP {ap:.3f} "
        f"(floor {floor:.3f})  patches found {recall:.0%}  onset error {days} days  "
        f"ranks of the best event: {ranks}"
    )


def quiet(seeds: list[int]) -> None:
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for seed in seeds:
        with archive(seed, 0) as (made, _):
            for model in MODELS:
                _, of = tables(made, model)
                reported = of["score"] > 0
                rows[model].append(
                    (reported.mean(), of["lasting"].mean(), float(of["events"]))
                )
    print(
        f"simulator-quiet: seeds {seeds}, nothing planted, min_score "
        f"{Settings().min_score:g}"
    )
    for model in MODELS:
        share, lasting, events = np.mean(rows[model], axis=0)
        print(
            f"  {model}: {share:.1%} of patches reported, {lasting:.1%} as lasting; "
            f"{1000 * events / KM2 / YEARS:.0f} events per 1000 km2 and year"
        )


SETS = {"simulator": planted, "simulator-quiet": quiet}
