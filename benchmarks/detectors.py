"""Every detector on every shared set with truth, on simulated changes, and on controls.

    python benchmarks/detectors.py [SHARED] [--sets flanders,vaia,...] [--threads 4]
        [--json FILE] [--docs docs/evaluation.md]

Builds an archive of each set, runs `terradrift bench` on it, and prints its tables. With
`--docs` the tables between the markers `<!-- bench:begin NAME -->` and `<!-- bench:end NAME
-->` of that page are written anew. Simulated archives are of seeds that no default was chosen
on. Models whose weights are not on this machine are left out, and said.

| set | what is known |
| --- | --- |
| flanders | two inserted changes; control: the same series without them |
| vaia | windthrow; no control but the patches around it |
| fires | seven fires on two dates: the mean over fires of the ranking within each |
| simulator | planted changes of every kind; control: a landscape where nothing is planted |
| controls | Flanders, Tanzania and the simulator where nothing is known to have changed |
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from models import how
from numpy.typing import NDArray

import terradrift as td
from terradrift import plugins
from terradrift.archive.judge import benching
from terradrift.embed import library
from terradrift.embed.spec import Spec
from terradrift.evaluate import measures, tables
from terradrift.evaluate.bench import page as bench_page
from terradrift.evaluate.bench.lines import Site
from terradrift.evaluate.bench.result import Bench
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.methods import methods
from terradrift.evaluate.ranked import reads
from terradrift.ingest.simulate import simulate

OWN = ("mosaiks", "spectral")
TRAINED = "galileo-nano-tokens"
SIZE, DATES, QUIET_DAYS, PER_YEAR = 320, 60, 400, 14
SEEDS = (101, 102)
"""Of the simulated landscape with changes, and of the one without."""


@dataclass(frozen=True)
class Given:
    """A shared set: its folder, patch size, models, and labels where there are any."""

    folder: str
    patch_size: int
    models: tuple[str, ...] = OWN
    labels: str = ""
    options: dict[str, Any] = field(default_factory=dict)


FLANDERS = Given(
    "s2-flanders-2018-transplant",
    40,
    (*OWN, TRAINED),
    "truth/changes.geojson",
    {"any_touch": True},
)
QUIET = Given("s2-flanders-2018", 40, (*OWN, TRAINED))
VAIA = Given(
    "s2-ndvi-vaia-2018", 20, OWN, "truth/windthrow.tif", {"date": "2018-10-29"}
)
FIRES = Given("s2-wildfires-california", 100, OWN, "truth/perimeters.geojson")
TANZANIA = Given("s2-tanzania-2019-2021", 40)
SIMULATED = (*OWN, TRAINED)


@dataclass
class Run:
    """What all sets share."""

    shared: Path
    work: Path
    threads: int
    records: dict[str, Any] = field(default_factory=dict)

    def archive(self, given: Given) -> td.Archive:
        """An archive of a shared set, embedded."""
        source = self.shared / given.folder / "catalog.json"
        return self.made(given.folder, source, given.patch_size, given.models)

    def made(
        self, name: str, source: Path, patch_size: int, models: tuple[str, ...]
    ) -> td.Archive:
        place = self.work / name
        if place.exists():
            return td.open(place)
        archive = td.create(place, grid=td.Grid(patch_size=patch_size))
        archive.ingest(source)
        for model in there(models):
            options = how(model, archive.store.settings.grid.patch_px)
            archive.embed(model, quiet=True, threads=self.threads, **options)
        return archive

    def simulated(self, seed: int, planted: int) -> tuple[td.Archive, Path]:
        """An archive of a simulated series, and its labels."""
        scenes = self.work / f"scenes-{seed}"
        catalog = simulate(
            scenes,
            size_px=SIZE,
            dates=DATES,
            seed=seed,
            quiet_days=QUIET_DAYS,
            changes_per_year=planted,
            threads=self.threads,
        )
        name = "simulated" if planted else "simulated-quiet"
        archive = self.made(name, catalog, 80, SIMULATED)
        return archive, scenes / "truth.geojson"

    def compared(
        self,
        archive: td.Archive,
        models: tuple[str, ...],
        labels: Path | None = None,
        **options: Any,
    ) -> Bench:
        """`terradrift bench`."""
        found = archive.bench(
            labels, models=there(models), threads=self.threads, quiet=True, **options
        )
        self.records[archive.store.root.name] = found.to_dict()
        return found


def there(models: tuple[str, ...]) -> list[str]:
    """Those whose weights are on this machine, or that need none."""
    found = []
    for model in models:
        name = model.removesuffix("-tokens")
        plugin = plugins.load(plugins.EMBEDDERS, name)
        if isinstance(plugin, Spec) and not library.present(plugin):
            print(f"left out: {model}, whose weights are not on this machine")
        else:
            found.append(model)
    return found


def flanders(run: Run) -> str:
    labels = run.shared / FLANDERS.folder / FLANDERS.labels
    control = run.archive(QUIET)
    found = run.compared(
        run.archive(FLANDERS),
        FLANDERS.models,
        labels,
        control=control.store.root,
        **FLANDERS.options,
    )
    return shown(found, without=("AP / ROC-AUC by class of change",))


def vaia(run: Run) -> str:
    labels = run.shared / VAIA.folder / VAIA.labels
    return shown(run.compared(run.archive(VAIA), VAIA.models, labels, **VAIA.options))


def simulator(run: Run) -> str:
    planted, labels = run.simulated(SEEDS[0], PER_YEAR)
    quiet, _ = run.simulated(SEEDS[1], 0)
    return shown(run.compared(planted, SIMULATED, labels, control=quiet.store.root))


def controls(run: Run) -> str:
    quiet, _ = run.simulated(SEEDS[1], 0)
    every = [
        (run.archive(QUIET), QUIET.models),
        (run.archive(TANZANIA), TANZANIA.models),
        (quiet, SIMULATED),
    ]
    head: tuple[str, ...] = ()
    rows = []
    for archive, models in every:
        found = run.compared(archive, models, detectors=["changes"])
        for _, names, lines in bench_page.tables(found):
            head = ("set", *names)
            rows += [(found.archive, *line) for line in lines]
    return tables.piped(head, rows)


def fires(run: Run) -> str:
    """Ranking within each fire's scene, as the scenes share nothing."""
    archive = run.archive(FIRES)
    folder = run.shared / FIRES.folder
    given = benching.Truthful(
        labels=folder / FIRES.labels, reading=Reading(class_field="event_id")
    )
    rasters = sorted((folder / "truth").glob("*_burned.tif"))
    bands = archive.store.settings.bands
    head = ("detector", "model", "mean ROC-AUC", "mean AP (floor)", "each ROC-AUC")
    rows = []
    for model in ("bands", *FIRES.models):
        stored = benching.BANDS if model == "bands" else model
        site, _ = benching.site_of(archive.store, stored, given)
        assert site.truth is not None
        inside = [lies_in(raster, site) & site.truth.known for raster in rasters]
        for method in methods(bands=bands, threads=run.threads):
            if (reads(method) == "embedding") == (model == "bands"):
                continue
            score = method.judge(site.series).score
            if not np.isfinite(score).any():
                continue  # two dates are too few for it
            each = [
                tuple(
                    measure(site.truth.changed[rows_], score[rows_])
                    for measure in (measures.roc_auc, measures.average_precision)
                )
                for rows_ in inside
            ]
            floor = np.mean([site.truth.changed[rows_].mean() for rows_ in inside])
            auc, precision = np.mean(each, axis=0)
            name = "-" if reads(method) == "indices" else site.model
            rows.append((auc, precision, floor, method.name, name, each))
    run.records[FIRES.folder] = [
        {
            "detector": name,
            "model": model,
            "roc_auc": auc,
            "average_precision": precision,
            "floor": floor,
            "fires": dict(zip([r.stem for r in rasters], each, strict=True)),
        }
        for auc, precision, floor, name, model, each in rows
    ]
    rows.sort(key=lambda row: -row[0])
    table = tables.piped(
        head,
        [
            (
                f"`{name}`",
                model,
                f"{auc:.3f}",
                f"{precision:.3f} ({floor:.3f})",
                " ".join(f"{value:.2f}" for value, _ in each),
            )
            for auc, precision, floor, name, model, each in rows
        ],
    )
    counts = sum(int(rows_.sum()) for rows_ in inside)
    return (
        f"{counts:,} patches of {FIRES.patch_size} m in {len(rasters)} scenes of two "
        "dates. Detectors that need more dates, `changes` among them, abstain.\n\n"
        f"{table}"
    )


def lies_in(raster: Path, site: Site) -> NDArray[np.bool_]:
    """(n,), patches whose centre lies in the raster."""
    with rasterio.open(raster) as source:
        west, south, east, north = source.bounds
        crs = source.crs
    cells, size = site.ground.cells, site.ground.patch_size
    found = np.zeros(len(cells), bool)
    for epsg in np.unique(cells[:, 0]).tolist():
        rows = np.flatnonzero(cells[:, 0] == epsg)
        y, x = (cells[rows, 1:].T + 0.5) * size
        x, y = pyproj.Transformer.from_crs(epsg, crs, always_xy=True).transform(x, y)
        found[rows] = (x > west) & (x < east) & (y > south) & (y < north)
    return found


SETS: dict[str, Callable[[Run], str]] = {
    "flanders": flanders,
    "vaia": vaia,
    "fires": fires,
    "simulator": simulator,
    "controls": controls,
}


def shown(found: Bench, without: tuple[str, ...] = ()) -> str:
    """Tables and what they are of, as they stand in the docs."""
    parts = [bench_page.intro(found)]
    first = next((each.evaluation for each in found.lines if each.evaluation), None)
    if first is not None:
        parts += [f"{note[0].upper()}{note[1:]}." for note in first.notes]
    for title, head, rows in bench_page.tables(found):
        if title not in without:
            parts.append(f"{title}:\n\n{tables.piped(head, rows)}")
    return "\n\n".join(parts)


def renewed(page: str, sections: dict[str, str]) -> str:
    """The page with the text between the markers of each section replaced."""
    for name, text in sections.items():
        begin, end = f"<!-- bench:begin {name} -->", f"<!-- bench:end {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise SystemExit(f"expected one {begin} and one {end} in the page")
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


def chosen(names: str) -> Iterator[str]:
    for name in names.split(","):
        if name not in SETS:
            raise SystemExit(f"no set {name}; there are {', '.join(SETS)}")
        yield name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", nargs="?", default="../shared", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--threads", default=4, type=int)
    parser.add_argument("--json", type=Path, help="write all figures there as well")
    parser.add_argument("--docs", type=Path, help="page whose tables are renewed")
    asked = parser.parse_args()
    if asked.docs:  # before minutes of work
        renewed(asked.docs.read_text(), dict.fromkeys(chosen(asked.sets), ""))
    sections = {}
    with tempfile.TemporaryDirectory() as folder:
        run = Run(asked.shared / "data", Path(folder), asked.threads)
        for name in chosen(asked.sets):
            start = time.perf_counter()
            sections[name] = SETS[name](run)
            seconds = time.perf_counter() - start
            print(f"\n## {name} ({seconds:.0f} s)\n\n{sections[name]}", flush=True)
    if asked.docs:
        asked.docs.write_text(renewed(asked.docs.read_text(), sections))
    if asked.json:
        asked.json.write_text(json.dumps(run.records, indent=1) + "\n")


if __name__ == "__main__":
    main()
