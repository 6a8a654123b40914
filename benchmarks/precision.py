"""Storage of vectors in fewer bytes: does it hurt drift, kinds or search?

    python benchmarks/precision.py [SHARED] [--sets flanders,vaia,simulator]
        [--threads 2] [--json FILE]

The reference are the vectors as models give them, in float32, taken before the store rounds
them. Each is stored in other ways (`_stored`), read back, and everything is done anew. For
each set, model and way:

* observations: Spearman correlation and overlap of the highest 1 % (ten at least) of
  `drift`, `z` (per observation) and the change score (per patch) with the reference's
* truth: AP of the largest drift, the largest z and the change score of each patch, and how
  far the AP is from the reference's, with a 95 % interval by drawing blocks of ground
  (the same blocks for both)
* changes: share of reported changes (patch and day) that both have, of those that either
  has
* kinds: of the changes that the reference has at p up to 0.5, as there are too few else:
  adjusted Rand index (ARI) of their kinds with the reference's, and, where it is known,
  with what was planted
* search: share of the nearest 10 and 100 by float32 that are found, for these changes by
  delta, and for 500 observations among 30,000 by cosine; and how much farther, by float32,
  the ten found are than the ten nearest

Vectors of a change are stored like the observations: a median comes out the same before and
after a rounding that keeps order. As a scale of ARI: kinds of nine tenths of the changes
against those of all, in float32 (mean of five draws). Weights of networks must be on this
machine.

Then, of at most 10,000 distinct clear observations of each model, and of rows drawn in 30
latent dimensions: variance in the leading 32 and 64 components; overlap of the top 1 % of
LOF (k = 20) with the exact one, by 64 components alone, and by the exact distances of the 48
nearest by 64 components; ARI of HDBSCAN (least size 25, 5 neighbours) by 32 components, and
of nine tenths of the rows, against all; and the intrinsic dimension by the two nearest
neighbours of these rows and of a tenth of them.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _agreement import Changed, Truthful, agreement, farther, nearest, recall, some
from _components import ROWS, distinct, of_components
from _stored import FLOAT32, SAMPLE, STORAGES, in_single, kept, stored
from detectors import FLANDERS, OWN, VAIA, Given, Run
from lof import rows as drawn
from numpy.typing import NDArray

from terradrift.archive.judge import benching
from terradrift.detect.block import Block
from terradrift.detect.settings import Settings
from terradrift.evaluate.bench.lines import Site
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.methods import Scored, WholeDetection
from terradrift.ingest.simulate import simulate
from terradrift.series import Series

SCORES = ("drift", "z", "changes")
QUERIES = 500
AMONG = 30_000
LOOSE = 0.5
"""p-value up to which changes have kinds and are searched."""
SEED = 104
Rows = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Found:
    """What is made of one way to store."""

    scores: dict[str, NDArray[np.floating]]
    """Of all observations, or, of changes, of patches."""
    ranked: dict[str, NDArray[np.floating]]
    """Of patches."""
    reported: set[tuple[str, str]]
    """Patch and day of the changes."""


def detected(series: list[Series], threads: int) -> Found:
    whole = WholeDetection(threads=threads)
    blocks = whole.blocks(series)
    ranked = {
        name: Scored(column=name).judged(series, blocks).score for name in SCORES[:2]
    }
    ranked["changes"] = whole.judged(blocks).score
    scores = {
        name: np.concatenate([getattr(b.scores, name).ravel() for b in blocks])
        for name in SCORES[:2]
    }
    days = {
        (str(block.patch_ids[row]), str(day))
        for block in blocks
        for row, day in zip(
            block.changes.row, block.changes.onset.astype("datetime64[D]"), strict=True
        )
    }
    return Found(scores | {"changes": ranked["changes"]}, ranked, days)


def loosely(series: list[Series], threads: int) -> list[Block]:
    """The same with more changes."""
    settings = Settings(max_p_value=LOOSE)
    return WholeDetection(settings=settings, threads=threads).blocks(series)


def clear_rows(series: Sequence[Series]) -> Rows:
    least = Settings().min_clear
    parts = (p.vectors[np.nan_to_num(p.clear_percent) >= least] for p in series)
    return np.concatenate(list(parts))


def compared(
    name: str, site: Site, series: list[Series], threads: int
) -> Iterator[dict[str, Any]]:
    """One row for each way to store."""
    reference = detected(series, threads)
    truth = Truthful(site)
    changed = Changed(loosely(series, threads), site, threads)
    count = len(clear_rows(series))
    rows = some(clear_rows(series), AMONG, 1)
    sample, own = rows[:SAMPLE], np.arange(min(QUERIES, len(rows)))
    near = nearest(rows[own], rows, own, 100)
    d = rows.shape[1]
    for way in (FLOAT32, *STORAGES):
        if way.size(d) >= 2 * d and way.name.startswith("PCA"):
            continue  # as many numbers as there are
        code = way.fit(sample)
        found = reference
        if way is not FLOAT32:
            found = detected(stored(series, code), threads)
        held = code(rows)
        again = nearest(held[own], held, own, 100)
        row: dict[str, Any] = {
            "set": name,
            "model": site.model,
            "d": d,
            "stored": way.name,
            "bytes": way.size(d),
            "patches": len(truth.known),
            "observations": count,
            "floor": float(truth.changed[truth.known].mean()),
        }
        for score in SCORES:
            rho, top = agreement(found.scores[score], reference.scores[score])
            ap, auc = truth.quality(found.ranked[score])
            low, high = truth.difference(found.ranked[score], reference.ranked[score])
            row |= {f"{score} rho": rho, f"{score} top": top, f"{score} AP": ap}
            row |= {f"{score} AUC": auc, f"{score} low": low, f"{score} high": high}
        either = found.reported | reference.reported
        both = found.reported & reference.reported
        row["changes"] = len(found.reported)
        row["same changes"] = len(both) / len(either) if either else np.nan
        row |= changed.measured(code)
        row["observations@10"] = recall(again, near, 10)
        row["farther"] = farther(rows, again[:, :10], near[:, :10])
        row["observations@100"] = recall(again, near, 100)
        if way is FLOAT32:
            row["ARI of nine tenths"] = changed.without_a_tenth()
            row["loose"] = len(changed.ids)
        yield row


def sites(run: Run, wanted: list[str]) -> Iterator[tuple[str, Site, list[Series]]]:
    for name in wanted:
        with kept() as given:
            if name == "simulator":
                scenes = run.work / "scenes"
                catalog = simulate(
                    scenes,
                    dates=60,
                    seed=SEED,
                    quiet_days=400,
                    changes_per_year=14,
                    threads=run.threads,
                )
                archive = run.made(name, catalog, 80, OWN)
                truth = benching.Truthful(
                    labels=scenes / "truth.geojson", reading=Reading()
                )
                models = OWN
            else:
                chosen: Given = {"flanders": FLANDERS, "vaia": VAIA}[name]
                archive, models = run.archive(chosen), chosen.models
                options = dict(chosen.options)
                truth = benching.Truthful(
                    labels=run.shared / chosen.folder / chosen.labels,
                    reading=Reading(date=options.pop("date", None)),
                    **options,
                )
        for model in models:
            if model not in given:
                continue  # said by run
            site, _ = benching.site_of(archive.store, model, truth)
            yield name, site, in_single(site.series, given.pop(model))


def piped(rows: list[dict[str, Any]], columns: Sequence[str]) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "-" if np.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")
        return str(value)

    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += [
        "| " + " | ".join(cell(row.get(c, "")) for c in columns) + " |" for row in rows
    ]
    return "\n".join(lines)


def shown(rows: list[dict[str, Any]]) -> str:
    """Three tables of one set and model."""
    lines = []
    for row in rows:
        line: dict[str, Any] = {"stored": row["stored"], "bytes": row["bytes"]}
        for score in SCORES:
            line[f"{score} rho"] = row[f"{score} rho"]
            line[f"{score} top"] = f"{row[f'{score} top']:.2f}"
            low, high = row[f"{score} low"], row[f"{score} high"]
            apart = f" ({low:+.3f} to {high:+.3f})" if row is not rows[0] else ""
            line[f"{score} AP"] = f"{row[f'{score} AP']:.3f}{apart}"
            line[f"{score} AUC"] = f"{row[f'{score} AUC']:.3f}"
        lines.append(line)
    first = rows[0]
    head = (
        f"### {first['set']}, {first['model']}, {first['d']} numbers: "
        f"{first['patches']} patches, {first['observations']} clear observations, floor "
        f"{first['floor']:.3f}; {first['loose']} changes for kinds and search, kinds of "
        f"nine tenths of them: ARI {first['ARI of nine tenths']:.2f}"
    )
    columns = ("stored", "bytes", "changes", "same changes", "kinds", "kinds ARI")
    columns += ("planted ARI", "changes@10", "changes@100")
    columns += ("observations@10", "observations@100", "farther")
    return "\n\n".join((head, piped(lines, list(lines[0])), piped(rows, columns)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", nargs="?", default="../shared", type=Path)
    parser.add_argument("--sets", default="flanders,vaia,simulator")
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--json", type=Path, help="write all figures there as well")
    asked = parser.parse_args()
    every: dict[str, list[dict[str, Any]]] = {"storage": [], "components": []}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(asked.shared / "data", Path(folder), asked.threads)
        for name, site, series in sites(run, asked.sets.split(",")):
            rows = list(compared(name, site, series, asked.threads))
            print(f"\n{shown(rows)}", flush=True)
            every["storage"] += rows
            points = distinct(clear_rows(series))
            every["components"].append(
                of_components(name, site.model, points, asked.threads)
            )
    points = drawn(ROWS, 384, 0)
    every["components"].append(of_components("drawn", "-", points, asked.threads))
    print(f"\n{piped(every['components'], list(every['components'][0]))}")
    print(f"\n{time.perf_counter() - start:.0f} s, {time.process_time():.0f} CPU s")
    if asked.json:
        asked.json.write_text(json.dumps(every, indent=1) + "\n")


if __name__ == "__main__":
    main()
