"""Class maps, embedding series and operation: protocols P2, P4 and P6 in one command.

    python benchmarks/protocols.py [SHARED] [--only maps,series,operation] [--seeds N]
    python benchmarks/protocols.py --docs docs/evaluation.md

P2 draws monthly land-cover maps, renders images of them, embeds these at several patch sizes
and compares all models on one common grid. P4 plants changes into series of vectors under
more and more cloud. P6 counts false alarms where nothing changed, beside what was asked, and
looks whether p-values are what they say. P2 and P4 are simulated throughout; of P6 the sets
named `simulator` are. With `--docs` the tables go between the markers of that page.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import rasterio
from _quality import THREADS, histories
from rasterio.transform import from_origin
from watch import CASES

import terradrift as td
from terradrift.detect.settings import Settings
from terradrift.evaluate import delay
from terradrift.evaluate.bench.lines import alarms, ground_of
from terradrift.evaluate.class_maps import maps as class_maps
from terradrift.evaluate.class_maps.grid import SHARES, Cells, common_grid, grade
from terradrift.evaluate.measures import Interval
from terradrift.evaluate.method import Method
from terradrift.evaluate.methods import WholeDetection, methods
from terradrift.evaluate.monitor_method import Monitor, patch_km2
from terradrift.evaluate.planted_series import series as planted_series
from terradrift.evaluate.planted_series.measures import (
    Chance,
    mean,
    measure,
    over_seeds,
)
from terradrift.evaluate.ranked import reads
from terradrift.ingest.simulate import simulate
from terradrift.series import Series

PATCHES = (80, 160, 320)
MODELS = ("mosaiks", "spectral")
CELL_PX, PIXEL = 16, 10
WEST, NORTH = 500_480, 5_600_000
"""Corner of the class maps in EPSG:32631, on the grid of every patch size."""
OF_MAPS = ("changes", "scores-z", "surprise", "lof", "temporal-median", "rx-difference")
CLOUDS = (0.0, 0.1, 0.3, 0.5)
ASKED = (1000.0, 10_000.0, 100_000.0)
"""False alarms per 1,000 km2 and year."""
Table = list[tuple[str, ...]]


def maps(seeds: Sequence[int]) -> Iterator[tuple[str, Table]]:
    """P2: one table of all models, patch sizes and methods, over seeds."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for seed in seeds:
        recipe = class_maps.Recipe(seed=seed)
        drawn = class_maps.draw(recipe)
        with tempfile.TemporaryDirectory() as folder:
            scenes = Path(folder) / "scenes"
            _write(class_maps.render(recipe, drawn), drawn.days, scenes)
            for size in PATCHES:
                archive = td.create(
                    Path(folder) / f"{size}.td", grid=td.Grid(patch_size=size)
                )
                archive.ingest(scenes)
                for model in MODELS:
                    series = histories(archive, model)
                    bands = archive.store.settings.bands if model == "spectral" else ()
                    for method in methods(_able(OF_MAPS, bands), bands=bands):
                        row = _on_maps(drawn, series, size, method)
                        key = (f"{model}, {size} m", method.name)
                        found.setdefault(key, []).append(row)
                key = (f"chance, {size} m", "chance")
                row = _on_maps(drawn, series, size, Chance(seed=seed))
                found.setdefault(key, []).append(row)
    head = (
        "model, patches",
        "method",
        *(f"AUC g {'>' if s == 0 else '>='} {s:g}" for s in SHARES),
        "Spearman",
        "AUPRC g >= 0.5; chance",
        "date off, months",
        "false alarms / patch yr",
    )
    rows = [
        (
            *key,
            *(_cell([one[f"auc{share}"] for one in parts]) for share in SHARES),
            _cell([one["spearman"] for one in parts], low=-1.0),
            _cell([one["ap"] for one in parts])
            + f"; {np.mean([one['floor'] for one in parts]):.2f}",
            _interval(mean([one["off"] for one in parts]), 1),
            _cell([one["alarms"] for one in parts], 3),
        )
        for key, parts in found.items()
    ]
    yield "maps", [head, *rows]


def _able(wanted: Sequence[str], bands: Sequence[str]) -> list[str]:
    """Detectors of bands need bands to lead the vector."""
    usual = {one.name for one in methods(bands=bands)} | {"scores-z"}
    return [name for name in wanted if name in usual]


def _write(
    images: np.ndarray, days: np.ndarray, folder: Path, bands: Sequence[int] = range(4)
) -> None:
    """GeoTIFFs with their date and bands inside."""
    folder.mkdir()
    where = from_origin(WEST, NORTH, PIXEL, PIXEL)
    for image, day in zip(images, days, strict=True):
        with rasterio.open(
            folder / f"{day}.tif",
            "w",
            driver="GTiff",
            count=len(bands),
            height=image.shape[1],
            width=image.shape[2],
            dtype="uint16",
            crs="EPSG:32631",
            transform=where,
            nodata=0,
        ) as file:
            file.write(image[list(bands)])
            file.scales = [1e-4] * len(bands)
            file.update_tags(DATETIME=f"{day}T10:30:00Z")
            for number, band in enumerate(bands, start=1):
                file.set_band_description(number, class_maps.BANDS[band])


def _on_maps(
    drawn: class_maps.Maps, series: list[Series], size: int, method: Method
) -> dict[str, float]:
    judged = method.judge(series)
    cells = np.concatenate([one.cells for one in series])
    side = drawn.labels.shape[1]
    grid = Cells(WEST, NORTH, CELL_PX * PIXEL, side // CELL_PX, side // CELL_PX)
    score = common_grid(judged.score, cells[:, 1], cells[:, 2], size, grid)
    first, last = drawn.labels[0], drawn.labels[-1]
    graded = grade(class_maps.changed_share(first, last, CELL_PX), score)
    # Dates and reports cannot be averaged: these are told on the patches themselves.
    px = size // PIXEL
    at = (NORTH // size - 1 - cells[:, 1], cells[:, 2] - WEST // size)
    share = class_maps.changed_share(first, last, px)[at]
    true = class_maps.onsets(drawn, px)[at]
    off = (judged.onset - true) / np.timedelta64(1, "D") / 30.44
    years = (drawn.days[-1] - drawn.days[0]) / np.timedelta64(1, "D") / 365.25
    same = share == 0
    reports = getattr(method, "reports", False)
    return {
        **{f"auc{least}": value for least, value in graded.roc_auc.items()},
        "spearman": graded.spearman,
        "ap": graded.average_precision,
        "floor": graded.floor,
        "off": _median(off[share >= 0.5]),
        "alarms": float(judged.reported[same].sum() / (same.sum() * years))
        if reports
        else np.nan,
    }


def series(seeds: Sequence[int]) -> Iterator[tuple[str, Table]]:
    """P4: a table per share of cloud, and one of what cloud takes."""
    patches: dict[str, list[Interval]] = {}
    for cloud in CLOUDS:
        found: dict[str, list] = {}
        for seed in seeds:
            recipe = planted_series.Recipe(cloud=cloud, seed=seed)
            planted = planted_series.plant(recipe)
            bands = tuple(f"e{at}" for at in range(recipe.dimensions))
            asked: list[Method] = [
                one
                for one in methods(bands=bands, threads=THREADS)
                if reads(one) != "indices"
            ]
            asked += [Monitor(start=planted.start), Chance(seed=seed)]
            for method in asked:
                found.setdefault(method.name, []).append(measure(planted, method))
        means = {name: over_seeds(parts) for name, parts in found.items()}
        for name, one in means.items():
            patches.setdefault(name, []).append(one["patches"])
        if cloud == CLOUDS[1]:
            yield "series", [_SERIES, *(_series_row(*one) for one in means.items())]
    head = ("method", *(f"cloud {cloud:.0%}" for cloud in CLOUDS))
    rows = [(name, *map(_interval, values)) for name, values in patches.items()]
    yield "clouds", [head, *rows]


_SERIES = (
    "method",
    "AUPRC patches",
    "AUPRC patch and date",
    "AUPRC observations",
    "precision of as many as changed",
    "onset off, observations",
    "found at 0.05 alarms / patch yr",
    "delay, observations",
)


def _series_row(name: str, mean: dict[str, Interval]) -> tuple[str, ...]:
    return (
        name,
        *(
            _interval(mean[each])
            for each in ("patches", "dated", "frames", "precision")
        ),
        _interval(mean["off"], 1),
        _interval(mean["found"]),
        _interval(mean["delay"], 1),
    )


def operation(shared: Path, seeds: Sequence[int]) -> Iterator[tuple[str, Table]]:
    """P6: calibration, false alarms asked and obtained, and images between false alarms."""
    head = (
        "where nothing changed",
        "judged",
        "p <= 0.01",
        "p <= 0.05",
        "histories p <= 0.05",
        "asked",
        "detect: told, interval",
        "watch: told",
        "images between false alarms",
    )
    rows: Table = []
    for name, folder, archive, start in _unchanged(shared, seeds):
        with folder:
            archive.embed("mosaiks", quiet=True, threads=THREADS)
            archive.detect("mosaiks", quiet=True, threads=THREADS)
            said = archive.calibration("mosaiks")
            parts = histories(archive, "mosaiks")
            shares = [
                _share(said.frames, 0.01),
                _share(said.frames, 0.05),
                _share(said.histories, 0.05),
            ]
            for number, asked in enumerate(ASKED):
                lead = (name, f"{said.frames.levels.count:,}", *shares)
                rows.append(
                    (
                        *(lead if number == 0 else ("",) * len(lead)),
                        f"{asked:,.0f}",
                        _told(parts, asked),
                        *_watched(parts, asked, start),
                    )
                )
    yield "operation", [head, *rows]


def _unchanged(
    shared: Path, seeds: Sequence[int]
) -> Iterator[tuple[str, tempfile.TemporaryDirectory, td.Archive, np.datetime64]]:
    """Archives where nothing is known to have changed, and when watching begins."""
    for seed in seeds:
        folder = tempfile.TemporaryDirectory()
        root = Path(folder.name)
        catalog = simulate(
            root / "scenes",
            size_px=256,
            dates=60,
            seed=20 + seed,
            changes_per_year=0,
            threads=THREADS,
        )
        archive = td.create(root / "archive.td", grid=td.Grid(patch_size=80))
        archive.ingest(catalog)
        (first,) = archive.sql("SELECT min(datetime) FROM scenes").fetchone()
        start = np.datetime64(first.replace(tzinfo=None), "D") + 500
        yield f"simulator, seed {20 + seed}", folder, archive, start
    for name in ("flanders", "tanzania"):
        case = CASES[name]
        if not (shared / "data" / case.folder).exists():
            continue
        folder = tempfile.TemporaryDirectory()
        archive = td.create(
            Path(folder.name) / "archive.td", grid=td.Grid(patch_size=case.patch_size)
        )
        archive.ingest(shared / "data" / case.folder)
        yield case.folder, folder, archive, np.datetime64(case.start)


def _share(of: object, level: float) -> str:
    levels = of.levels
    at = int(np.abs(levels.alphas - level).argmin())
    low, high = levels.low[at], levels.high[at]
    return f"{levels.share[at]:.4f} ({low:.4f} to {high:.4f})"


def _told(parts: list[Series], asked: float) -> str:
    """Changes that the whole detection reports when asked for so many false alarms."""
    settings = Settings(max_false_alarms=asked)
    judged = WholeDetection(settings=settings, threads=THREADS).judge(parts)
    patch = round(patch_km2(parts) ** 0.5 * 1000)
    ground = ground_of(parts, patch, settings.min_clear)
    everywhere = np.ones(len(judged.score), bool)
    found = alarms(judged.score, judged.reported, everywhere, ground)
    return _interval(found.rate, 0)


def _watched(
    parts: list[Series], asked: float, start: np.datetime64
) -> tuple[str, str]:
    """False alarms of `watch` when asked for so many, and images between them (ARL0)."""
    monitor = Monitor(start=start)
    fitted = monitor.reference(parts)
    if fitted is None:
        return "too little past", ""
    km2 = patch_km2(parts)
    days = np.unique(np.concatenate([one.days for one in parts]))
    days = days[days >= start]
    frames = monitor.frames(parts)
    level = []
    for one, frame in zip(parts, frames, strict=True):
        whole = np.full((len(one), len(days)), np.nan)
        late = one.days >= start
        whole[:, np.searchsorted(days, one.days[late])] = frame.score[:, late]
        level.append(whole)
    score = np.concatenate(level)
    n = len(score)
    found = delay.at_threshold(
        score,
        days,
        np.full(n, np.datetime64("NaT", "D")),
        np.zeros(n, bool),
        np.ones(n, bool),
        km2=km2,
        threshold=fitted.tail.threshold(asked * km2 / 1000.0),
    )
    between = found.images_between
    return (
        f"{found.false_alarms:,.0f}",
        f"{between:,.0f}" if np.isfinite(between) else "no false alarm",
    )


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan


def _cell(values: Sequence[float], digits: int = 2, low: float = 0.0) -> str:
    return _interval(mean(values, within=(low, np.inf if digits > 2 else 1.0)), digits)


def _interval(found: Interval, digits: int = 2) -> str:
    if not np.isfinite(found.value):
        return "-"
    if not np.isfinite(found.low):
        return f"{found.value:,.{digits}f}"
    return f"{found.value:,.{digits}f} ({found.low:,.{digits}f} to {found.high:,.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--only", default="maps,series,operation")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--docs", type=Path)
    chosen = parser.parse_args()
    seeds = range(1, chosen.seeds + 1)
    asked = {
        "maps": lambda: maps(seeds),
        "series": lambda: series(seeds),
        "operation": lambda: operation(chosen.shared, seeds[:2]),
    }
    for name in chosen.only.split(","):
        for marker, table in asked[name]():
            text = "\n".join(_lines(table))
            print(f"\n{marker}\n{text}")
            if chosen.docs is not None:
                _between(chosen.docs, f"protocols:{marker}", text)


def _lines(table: Table) -> list[str]:
    rows = [table[0], ("---",) * len(table[0]), *table[1:]]
    return ["| " + " | ".join(row) + " |" for row in rows]


def _between(page: Path, marker: str, text: str) -> None:
    """Put the text between the marker's lines, which must be there."""
    begin, end = f"<!-- {marker} -->\n", f"<!-- {marker}:end -->"
    whole = page.read_text()
    head, found, rest = whole.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} has no {begin.strip()} ... {end}")
    page.write_text(f"{head}{begin}{text}\n{end}{tail}")


if __name__ == "__main__":
    main()
