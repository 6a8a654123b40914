"""How good regimes are: planted ones, real crops, and change scores (protocol P5).

    python benchmarks/taxonomy_quality.py [SHARED] [--only planted,crops,changes] [--seeds N]
    python benchmarks/taxonomy_quality.py --docs docs/taxonomy.md

`planted`: regimes against truth, on series of vectors with planted regimes and on simulated
scenes, where truth is the land cover and, on fields, the crop of the year: before refinement,
after it, and after the same with labels in random order; means over seeds with Student's 95 %
interval. `crops`: the same on a real series with crop labels. `changes`: deviation scores on
series with known changes, regimes fitted on the past alone and on all dates, and false alarms
where nothing changed. With `--docs` the tables go between the markers of that page.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from _quality import THREADS, histories, truth
from numpy.typing import NDArray
from protocols import Table, _between, _interval, _lines
from quality import CASES, labels

import terradrift as td
from terradrift.errors import ArchiveError
from terradrift.evaluate import measures, ranking
from terradrift.evaluate.intervals import Draws, default_side
from terradrift.evaluate.measures import Interval, squares
from terradrift.evaluate.planted_series.measures import mean
from terradrift.evaluate.ranking import Ranking
from terradrift.evaluate.taxonomy import planted
from terradrift.evaluate.taxonomy.pipeline import together
from terradrift.evaluate.taxonomy.study import Study, Truth, study
from terradrift.ingest.simulate import simulate
from terradrift.ingest.simulate.covers import Covers, covers

MODELS = ("mosaiks", "spectral")
PATCH = 40
PURE = 0.75
"""Share of a patch that must be of one cover, or crop, for its truth to be known."""
GROUND = {"crop": 0, "grass": 1, "deciduous": 2, "conifer": 3, "water": 4}
BUILT = 5
"""Roofs, roads, gardens and bare ground."""
MEASURES = (
    ("ari_ground", "ARI ground"),
    ("ari_leaf", "ARI path"),
    ("nmi_leaf", "NMI path"),
    ("silhouette", "silhouette"),
    ("geographic", "on the ground"),
    ("stable_seeds", "stable, seeds"),
    ("stable_dates", "stable, dates"),
)
GAINS = ("ari_ground", "ari_leaf", "silhouette", "stable_dates")
BEFORE = {"transplant": "2018-05-12", "vaia": "2018-10-28"}
"""Last day before the first change."""


def planted_tables(seeds: Sequence[int]) -> Iterator[tuple[str, Table]]:
    found: dict[str, list[Study]] = {}
    for seed in seeds:
        for name, result in (*of_vectors(seed), *of_scenes(seed)):
            found.setdefault(name, []).append(result)
    yield "planted", _measured(found)
    yield "gains", _gained(found)


def of_vectors(seed: int) -> Iterator[tuple[str, Study]]:
    for name, loud in (("vectors", 0.6), ("vectors, loud nuisance", 1.0)):
        made = planted.plant(planted.Recipe(seed=seed, loud=loud))
        true = Truth(ground=made.ground, leaf=made.leaf, cells=made.series.cells)
        yield name, study(together([made.series]), true, threads=THREADS)


def of_scenes(seed: int) -> Iterator[tuple[str, Study]]:
    with tempfile.TemporaryDirectory() as folder:
        scenes = Path(folder) / "scenes"
        simulate(
            scenes,
            size_px=192,
            dates=36,
            revisit_days=10,
            seed=60 + seed,
            changes_per_year=0,
            baseline_jump=None,
            threads=THREADS,
        )
        archive = td.create(Path(folder) / "a.td", td.Grid(PATCH))
        archive.ingest(scenes / "catalog.json")
        for model in MODELS:
            parts = histories(archive, model)
            cells = np.concatenate([one.cells for one in parts])
            true = _covered(covers(scenes, 2019), cells)
            yield f"scenes, {model}", study(together(parts), true, threads=THREADS)


def _covered(ground: Covers, cells: NDArray[np.int64]) -> Truth:
    cover, crop = ground.shares(cells[:, 1], cells[:, 2], PATCH)
    of = np.array([GROUND.get(name, BUILT) for name in ground.names])
    share = np.stack([cover[:, of == k].sum(axis=1) for k in range(BUILT + 1)], axis=1)
    known = np.where(share.max(axis=1) >= PURE, share.argmax(axis=1), -1)
    sown = np.where(crop.max(axis=1) >= PURE, 10 + crop.argmax(axis=1), -1)
    return Truth(ground=known, leaf=np.where(known == 0, sown, known), cells=cells)


def _measured(found: dict[str, list[Study]]) -> Table:
    head = ("series (seeds)", "grounds / paths", *(words for _, words in MEASURES))
    rows: Table = [(*head, "plain k-means, ARI path", "NMI by chance")]
    for name, parts in found.items():
        first = [one.before for one in parts]
        many = " / ".join(
            f"{np.mean([getattr(one, each) for one in first]):.1f}"
            for each in ("grounds", "leaves")
        )
        cells = [_over([getattr(one, each) for one in first]) for each, _ in MEASURES]
        flat = _over([one.ari_flat for one in first])
        chance = f"{np.mean([one.nmi_chance for one in first]):.2f}"
        rows.append((f"{name} ({len(parts)})", many, *cells, flat, chance))
    return rows


def _gained(found: dict[str, list[Study]]) -> Table:
    words = dict(MEASURES)
    rows: Table = [
        (
            "series (seeds)",
            "wrong held-out triplets",
            *(f"{words[name]}: refined; random labels" for name in GAINS),
        )
    ]
    for name, parts in found.items():
        wrong = " to ".join(
            f"{np.mean([getattr(one, each) for one in parts]):.0%}"
            for each in ("error_before", "error_after")
        )
        cells = []
        for each in GAINS:
            right, control = zip(*(one.gain(each) for one in parts), strict=True)
            cells.append(f"{_signed(mean(right))}; {_signed(mean(control))}")
        rows.append((f"{name} ({len(parts)})", wrong, *cells))
    return rows


def crops(shared: Path) -> Iterator[tuple[str, Table]]:
    case = CASES["flanders"]
    folder = shared / "data" / case.folder
    rows: Table = [
        (
            "model",
            "regimes",
            "patches",
            "grounds / paths",
            "ARI land cover",
            "ARI crop; chance",
            "NMI crop; chance",
            "silhouette",
            "stable, seeds",
            "stable, dates",
        )
    ]
    with tempfile.TemporaryDirectory() as place:
        archive = td.create(Path(place) / "a.td", td.Grid(case.patch_size))
        archive.ingest(folder)
        for model in MODELS:
            parts = histories(archive, model)
            size = case.patch_size
            cover = _class(truth(parts, folder / "truth/landcover_LC.tif", size), (99,))
            crop = _class(truth(parts, folder / "truth/croptype_CT.tif", size), (0,))
            cells = np.concatenate([one.cells for one in parts])
            true = Truth(ground=cover, leaf=crop, cells=cells)
            found = study(together(parts), true, threads=THREADS)
            for name in ("before", "refined", "control"):
                one = getattr(found, name)
                rows.append(
                    (
                        model if name == "before" else "",
                        {"before": "as they are", "control": "random labels"}.get(
                            name, name
                        ),
                        f"{(cover >= 0).sum()}, {(crop >= 0).sum()}",
                        f"{one.grounds:.0f} / {one.leaves:.0f}",
                        f"{one.ari_ground:.2f}",
                        f"{one.ari_leaf:.2f}; {one.ari_chance:.2f}",
                        f"{one.nmi_leaf:.2f}; {one.nmi_chance:.2f}",
                        f"{one.silhouette:.2f}",
                        f"{one.stable_seeds:.2f}",
                        f"{one.stable_dates:.2f}",
                    )
                )
    yield "crops", rows


def _class(sampled: NDArray[np.float64], unknown: Sequence[int]) -> NDArray[np.int64]:
    """(n,) the class of three quarters of each patch, -1 where there is none."""
    found = np.full(len(sampled), -1)
    for value in np.unique(sampled[np.isfinite(sampled)]):
        if int(value) not in unknown:
            found[(sampled == value).mean(axis=1) >= PURE] = int(value)
    return found


def changes(shared: Path) -> Iterator[tuple[str, Table]]:
    """Median of each patch's scores after the change began; thresholds on quiet patches."""
    rows: Table = [
        (
            "series, model",
            "regimes fitted on",
            "paths",
            "AUPRC score; floor",
            "ROC-AUC",
            "AUPRC z",
            "turned: changed, others",
            "quiet, p <= 0.05",
            "found at 5 % false",
        )
    ]
    with tempfile.TemporaryDirectory() as place:
        for name, day in BEFORE.items():
            case = CASES[name]
            folder = shared / "data" / case.folder
            archive = td.create(Path(place) / f"{name}.td", td.Grid(case.patch_size))
            archive.ingest(folder)
            for model in MODELS:
                parts = histories(archive, model)
                known = labels(case, truth(parts, folder / case.truth, case.patch_size))
                ids = np.concatenate([one.patch_ids for one in parts])
                cells = np.concatenate([one.cells for one in parts])
                blocks = squares(cells, default_side(cells, case.patch_size))
                for period, words in ((f"../{day}", "the past"), (None, "all dates")):
                    try:
                        rows.append(
                            (
                                f"{name}, {model}",
                                words,
                                *_scored(
                                    archive, model, period, day, (ids, known, blocks)
                                ),
                            )
                        )
                    except ArchiveError as error:
                        print(f"{name}, {model}, {words}: {error}")
    yield "changes", rows


def _scored(
    archive: td.Archive,
    model: str,
    period: str | None,
    day: str,
    known: tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]],
) -> tuple[str, ...]:
    ids, label, blocks = known
    done = archive.taxonomy(model, period=period, threads=THREADS, quiet=True)
    told = archive.sql(
        "SELECT patch_id, median(score) AS score, median(z) AS z, "
        "avg(CAST(p_value <= 0.05 AS DOUBLE)) AS alarms FROM anomalies "
        "WHERE method = 'taxonomy' AND model = $model "
        "AND datetime > CAST($day AS TIMESTAMPTZ) GROUP BY patch_id",
        day=day,
        model=model,
    ).df()
    held = archive.store.scan(f"regimes_{model}", ["patch_id", "n_flips"])
    turned = held.read_all().to_pandas()
    at = {patch: row for row, patch in enumerate(told["patch_id"])}
    rows = np.array([at[patch] for patch in ids])
    score, z = (told[name].to_numpy()[rows] for name in ("score", "z"))
    alarms = told["alarms"].to_numpy()[rows]
    flips = turned.set_index("patch_id")["n_flips"].reindex(ids).to_numpy() > 0
    use = label >= 0
    true = label[use] > 0
    draws = Draws.of(blocks, use, label > 0)
    ranked = Ranking.of(label > 0, score, use, draws)
    first, area = ranked.measures([ranking.average_precision, ranking.roc_auc])
    limit = np.nanquantile(score[use][~true], 0.95)
    return (
        f"{done.leaves}",
        f"{_interval(first)}; {true.mean():.2f}",
        _interval(area),
        f"{measures.average_precision(true, z[use]):.2f}",
        f"{flips[use][true].mean():.0%}, {flips[use][~true].mean():.0%}",
        f"{np.nanmean(alarms[use][~true]):.3f}",
        f"{np.mean(score[use][true] > limit):.0%}",
    )


def _over(values: Sequence[float]) -> str:
    return _interval(mean(values, within=(-1.0, 1.0)))


def _signed(found: Interval) -> str:
    if not np.isfinite(found.low):
        return f"{found.value:+.2f}"
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--only", default="planted,crops,changes")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--docs", type=Path)
    chosen = parser.parse_args()
    asked = {
        "planted": lambda: planted_tables(range(1, chosen.seeds + 1)),
        "crops": lambda: crops(chosen.shared),
        "changes": lambda: changes(chosen.shared),
    }
    for name in chosen.only.split(","):
        for marker, table in asked[name]():
            text = "\n".join(_lines(table))
            print(f"\n{marker}\n{text}", flush=True)
            if chosen.docs is not None:
                _between(chosen.docs, f"taxonomy:{marker}", text)


if __name__ == "__main__":
    main()
