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
from _stored import FLOAT32, SAMPLE, STORAGES, in_single, kept, principal, stored
from detectors import FLANDERS, OWN, VAIA, Given, Run
from lof import rows as drawn
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from terradrift.archive import benching
from terradrift.detect.block import Block
from terradrift.detect.density import hdbscan
from terradrift.detect.duplicates import groups
from terradrift.detect.kinds import Cluster
from terradrift.detect.lof import lof
from terradrift.detect.neighbours import knn
from terradrift.detect.settings import Settings
from terradrift.evaluate import intervals, measures
from terradrift.evaluate.bench import Site
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.methods import Scored, WholeDetection
from terradrift.ingest.simulate import simulate
from terradrift.series import Series

SCORES = ("drift", "z", "changes")
QUERIES = 500
AMONG = 30_000
ROWS = 10_000
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


def some(rows: Rows, most: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    return rows[random.permutation(len(rows))[:most]]


def agreement(
    found: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[float, float]:
    """Rank correlation, and overlap of the highest 1 %."""
    both = np.isfinite(found) & np.isfinite(reference)
    found, reference = found[both], reference[both]
    top = max(10, len(found) // 100)
    shared = np.intersect1d(np.argsort(-found)[:top], np.argsort(-reference)[:top])
    return float(spearmanr(found, reference).statistic), len(shared) / top


class Truthful:
    """AP on the truth of a site, and differences of it."""

    def __init__(self, site: Site) -> None:
        assert site.truth is not None
        self.known, self.changed = site.truth.known, site.truth.changed
        cells = site.ground.cells
        side = intervals.default_side(cells, site.ground.patch_size)
        squares = measures.squares(cells, side)
        draws = intervals.Draws.of(squares, self.known, self.changed, repeats=200)
        self.weights = draws.times[draws.block[self.known]].T

    def quality(self, score: NDArray[np.floating]) -> tuple[float, float]:
        true, score = self.changed[self.known], score[self.known]
        return measures.average_precision(true, score), measures.roc_auc(true, score)

    def difference(
        self, score: NDArray[np.floating], reference: NDArray[np.floating]
    ) -> tuple[float, float]:
        true = self.changed[self.known]
        apart = [
            measures.average_precision(true, score[self.known], weight)
            - measures.average_precision(true, reference[self.known], weight)
            for weight in self.weights
        ]
        low, high = np.quantile(apart, [0.025, 0.975]) if apart else (np.nan, np.nan)
        return float(low), float(high)


def nearest(queries: Rows, rows: Rows, own: NDArray[np.int64], most: int) -> Any:
    """(q, most) rows nearest to each query by cosine, but for its own."""
    unit, asked = (
        part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
        for part in (rows, queries)
    )
    cosine = asked @ unit.T
    cosine[np.arange(len(own)), own] = -np.inf
    return np.argsort(-cosine, axis=1, kind="stable")[:, :most]


def recall(found: Any, reference: Any, k: int) -> float:
    if reference.shape[1] < k:
        return np.nan
    pairs = zip(found[:, :k], reference[:, :k], strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in pairs]))


def farther(rows: Rows, found: Any, reference: Any) -> float:
    """Mean cosine distance of the rows found for the leading ones, over that of the nearest."""
    wide = rows.astype(np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    ours, theirs = (
        np.mean([1 - (unit[at] @ unit[own]) for own, at in enumerate(part)])
        for part in (found, reference)
    )
    return float(ours / theirs)


class Changed:
    """The reference's changes: their kinds and neighbours in other storage."""

    def __init__(self, blocks: list[Block], site: Site, threads: int) -> None:
        self.threads = threads
        self.before, self.after = (
            np.concatenate([getattr(b.changes, part) for b in blocks])
            for part in ("before", "after")
        )
        starts = np.cumsum([0, *(len(b.patch_ids) for b in blocks)])
        row = np.concatenate(
            [start + b.changes.row for start, b in zip(starts, blocks, strict=False)]
        )
        # Ties between neighbours must not go to patches beside each other.
        order = np.random.default_rng(0).permutation(len(row))
        self.before, self.after, row = self.before[order], self.after[order], row[order]
        self.ids = np.array([f"{number:06}" for number in range(len(row))])
        assert site.truth is not None
        self.planted = site.truth.kind[row]
        self.kinds = self._kinds(self.before, self.after - self.before)
        self.near = self._near(self.after - self.before)

    def _kinds(self, before: Rows, delta: Rows) -> NDArray[np.int32]:
        return Cluster().cluster(self.ids, before, delta, threads=self.threads).kind

    def _near(self, delta: Rows) -> Any:
        own = np.arange(len(delta))
        return nearest(delta, delta, own, min(100, len(delta) // 3))

    def measured(self, code: Any) -> dict[str, float]:
        before, after = code(self.before), code(self.after)
        kinds, near = self._kinds(before, after - before), self._near(after - before)
        true = self.planted != ""
        several = len(np.unique(self.planted[true])) > 1
        return {
            "kinds": len(np.unique(kinds[kinds > 0])),
            "kinds ARI": self._against(kinds),
            "planted ARI": adjusted_rand_score(self.planted[true], kinds[true])
            if several
            else np.nan,
            "changes@10": recall(near, self.near, 10),
            "changes@100": recall(near, self.near, 100),
        }

    def _against(self, kinds: NDArray[np.int32]) -> float:
        if not self.kinds.any() and not kinds.any():
            return np.nan  # neither has a kind
        return float(adjusted_rand_score(self.kinds, kinds))

    def without_a_tenth(self) -> float:
        """ARI of kinds of nine tenths of the changes with those of all."""
        random, found = np.random.default_rng(0), []
        for _ in range(5):
            rows = np.sort(random.permutation(len(self.ids))[: len(self.ids) * 9 // 10])
            before = self.before[rows]
            delta = self.after[rows] - before
            kinds = Cluster().cluster(
                self.ids[rows], before, delta, threads=self.threads
            )
            found.append(adjusted_rand_score(self.kinds[rows], kinds.kind))
        return float(np.mean(found))


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


def two_nearest(rows: Rows, threads: int) -> float:
    """Intrinsic dimension by the ratio of the distances to the two nearest neighbours.

    Facco et al. 2017, "Estimating the intrinsic dimension of datasets by a minimal
    neighborhood information", 10.1038/s41598-017-11873-y: log of the ratio is exponential
    with the dimension as its rate; the slope through 0 of its empirical distribution.
    """
    distance, _ = knn(rows, rows, 2, exclude_self=True, threads=threads)
    ratio = np.sort(np.log(distance[:, 1] / np.maximum(distance[:, 0], 1e-30)))
    keep = len(ratio) * 9 // 10
    x, y = ratio[:keep], -np.log1p(-np.arange(1, keep + 1) / len(ratio))
    return float(x @ y / (x @ x))


def exact_lof(rows: Rows, reduced: Rows, threads: int) -> Rows:
    """LOF by the 20 nearest of the 48 that are nearest in `reduced`."""
    _, near = knn(reduced, reduced, 48, exclude_self=True, threads=threads)
    apart = np.stack(
        [np.linalg.norm(rows[near[at]] - rows[at], axis=1) for at in range(len(rows))]
    )
    order = np.argsort(apart, axis=1, kind="stable")[:, :20]
    near, apart = (np.take_along_axis(part, order, 1) for part in (near, apart))
    density = 1 / (np.maximum(apart, apart[near, -1]).mean(axis=1) + 1e-10)
    return density[near].mean(axis=1) / density


def distinct(rows: Rows) -> Rows:
    """At most `ROWS` of the rows, in random order."""
    rows = some(rows, 3 * ROWS, 2)
    return rows[groups(rows) == np.arange(len(rows))][:ROWS]


def of_components(name: str, model: str, rows: Rows, threads: int) -> dict[str, Any]:
    mean, axes, shares = principal(rows, 64)
    reduced = (rows - mean) @ axes
    by_all = lof(rows, 20, threads=threads)
    overlap = [
        agreement(part, by_all)[1]
        for part in (
            lof(reduced, 20, threads=threads),
            exact_lof(rows, reduced, threads),
        )
    ]
    most = len(rows) * 9 // 10
    label, short, fewer = (
        hdbscan(part, min_cluster_size=25, min_samples=5, threads=threads).label
        for part in (rows, np.ascontiguousarray(reduced[:, :32]), rows[:most])
    )
    return {
        "set": name,
        "model": model,
        "d": rows.shape[1],
        "rows": len(rows),
        "variance in 32": float(shares[:32].sum()),
        "in 64": float(shares[:64].sum()),
        "LOF by 64": overlap[0],
        "exact of 48": overlap[1],
        "clusters by all / 32": f"{label.max() + 1} / {short.max() + 1}",
        "in none": float((label < 0).mean()),
        "ARI by 32": float(adjusted_rand_score(label, short)),
        "ARI of nine tenths": float(adjusted_rand_score(label[:most], fewer)),
        "two-NN dimension": two_nearest(rows, threads),
        "of a tenth": two_nearest(rows[: len(rows) // 10], threads),
    }


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
