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
from terradrift.evaluate import measures as evaluate
from terradrift.ingest.simulate import simulate
from terradrift.series import Series
from terradrift.store.series import blocks

SIZE, DATES, QUIET_DAYS, PATCH = 256, 60, 500, 80
YEARS = DATES * 15 / 365.25
KM2 = (SIZE * 10 / 1000) ** 2
ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.2)
ASKED = (300, 1000, 3000, 10_000)
"""False alarms per 1,000 km2 and year."""


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
    """Series, and per patch in their order: strongest candidate, rank of its best event."""
    series = list(blocks(made.store, model))
    patches, changes, events = (
        made.store.scan(f"{name}_{model}").read_all().to_pandas()
        for name in ("patch_changes", "changes", "events")
    )
    rank = changes["event_id"].map(events.set_index("event_id")["rank"])
    best = rank.groupby(changes["patch_id"]).min()
    ids = np.concatenate([part.patch_ids for part in series])
    of = patches.set_index("patch_id").reindex(ids)
    return series, {
        "score": np.nan_to_num(of["score"].to_numpy()),
        "p": of["p_value"].fillna(1.0).to_numpy(),
        "alarms": of["false_alarms"].fillna(np.inf).to_numpy(),
        "reported": of["n_changes"].to_numpy() > 0,
        "onset": _days(of["onset"]),
        "rank": best.reindex(ids).to_numpy(float),
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
                            + tuple((of["p"][true] <= alpha).mean() for alpha in ALPHAS)
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
        each = [
            np.mean([row[6:] for row in rows], axis=0)
            for (of_model, _), rows in kinds.items()
            if of_model == model
        ]
        print(_by_alpha("    found, mean of kinds,", np.mean(each, axis=0)))


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
    hit = true & of["reported"]
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
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for seed in seeds:
        with archive(seed, 0) as (made, _):
            for model in MODELS:
                _, of = tables(made, model)
                rows[model].append(
                    (
                        of["reported"].mean(),
                        float(of["events"]),
                        *((of["p"] <= alpha).mean() for alpha in ALPHAS),
                        *((of["alarms"] <= asked).sum() for asked in ASKED),
                    )
                )
    print(f"simulator-quiet: seeds {seeds}, nothing planted")
    for model in MODELS:
        share, events, *rest = np.mean(rows[model], axis=0)
        print(
            f"  {model}: {share:.1%} of patches reported; "
            f"{1000 * events / KM2 / YEARS:.0f} events per 1,000 km2 and year"
        )
        print(_by_alpha("    reported", np.array(rest[: len(ALPHAS)])))
        obtained = 1000 * np.array(rest[len(ALPHAS) :]) / KM2 / YEARS
        told = "  ".join(
            f"{asked}: {got:.0f}" for asked, got in zip(ASKED, obtained, strict=True)
        )
        print(f"    false alarms per 1,000 km2 and year, asked: obtained  {told}")


def _by_alpha(what: str, shares: NDArray[np.float64]) -> str:
    cells = (f"{a}: {s:.3f}" for a, s in zip(ALPHAS, shares, strict=True))
    return f"{what} at p up to  " + "  ".join(cells)


SETS = {"simulator": planted, "simulator-quiet": quiet}
