"""Models on one common grid and one label rule, beside what each model's own grid says.

    python benchmarks/compare.py [SHARED] [--only drought,transitions,fires] [--seeds N]
    python benchmarks/compare.py --docs docs/local-reference.md

`drought` is a simulated reservoir that dries out from July to October, water to soil;
`transitions` are simulated land-cover maps a year apart with small transitions of all kinds;
`fires` are seven real burn scars with official perimeters. Weights of galileo-nano and presto
must lie on the machine; models that cannot be had are named and left out.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from protocols import NORTH, PIXEL, WEST, _between, _lines
from rasterio.transform import from_origin

import terradrift as td
from terradrift.errors import TerradriftError
from terradrift.evaluate.class_maps import maps as class_maps
from terradrift.evaluate.class_maps.grid import SHARES
from terradrift.evaluate.compare.result import Compared
from terradrift.ingest.simulate import spectra

PATCHES = (40, 80, 160)
CELL = 160
MODELS = ("spectral", "mosaiks", "galileo-nano", "presto")
WATER, SOIL = (class_maps.CLASSES.index(name) for name in ("water", "soil"))
Table = list[tuple[str, ...]]


def reservoir(seed: int) -> tuple[class_maps.Recipe, class_maps.Maps]:
    """A year and a half of a tile with a lake on a quarter of it, dry at the end."""
    recipe = class_maps.Recipe(
        seed=seed, months=24, quiet_months=15, transitions=0, drifting=0.0
    )
    maps = class_maps.draw(recipe)
    side = recipe.size_px
    random = np.random.default_rng([seed, 9])
    y, x = np.indices((side, side)) / side - 0.5
    wobble = sum(
        0.04 * np.sin(k * np.arctan2(y, x) + random.uniform(0, 6)) for k in (2, 3, 5)
    )
    depth = 0.285 + wobble - np.hypot(x * 0.9, y * 1.1)  # above 0 within the lake
    labels = maps.labels.copy()
    labels[labels == WATER] = class_maps.CLASSES.index("conifer")
    labels[:, depth > 0] = WATER
    for month in range(recipe.months):
        left = np.interp(
            month, [18, 21], [0.0, 0.22]
        )  # from July to October of year two
        labels[month][(depth > 0) & (depth < left)] = SOIL
    return recipe, replace(maps, labels=labels)


def transitions(seed: int) -> tuple[class_maps.Recipe, class_maps.Maps]:
    recipe = class_maps.Recipe(seed=seed, transitions=24)
    return recipe, class_maps.draw(recipe)


def simulated(
    made: tuple[class_maps.Recipe, class_maps.Maps], months: tuple[int, int]
) -> tuple[Compared, dict[str, str]]:
    """Archives of two months of class maps, compared."""
    recipe, maps = made
    bands = tuple(spectra.BANDS)
    images = class_maps.render(recipe, maps, bands)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / "scenes", images[list(months)], maps.days[list(months)], bands)
        before, after = (maps.labels[month] for month in months)
        labels = root / "changed.tif"
        with rasterio.open(labels, "w", **_profile(before.shape, 1, "uint8")) as file:
            file.write((before != after).astype(np.uint8), 1)
        archives, cost = [], {}
        for size in PATCHES:
            archive = td.create(root / f"{size}.td", td.Grid(size, gsd=PIXEL))
            archive.ingest(root / "scenes")
            cost |= embedded(archive, size)
            archives.append(archive)
        found = archives[0].compare(
            labels,
            others=[each.store.root for each in archives[1:]],
            cell=CELL,
            date_before=str(maps.days[months[0]]),
            date_after=str(maps.days[months[1]]),
            quiet=True,
        )
        return found, cost


def embedded(archive: td.Archive, size: int) -> dict[str, str]:
    """Embed every model that can be had; CPU seconds by model and patch size."""
    cost = {}
    for model in MODELS:
        plain = model in ("spectral", "mosaiks")
        how = {} if plain else {"allow_mismatch": True}
        if model == "galileo-nano":
            how["tokens"] = True
        start = time.process_time()
        try:
            archive.embed(model, quiet=True, threads=2, current=False, **how)
        except TerradriftError as error:
            print(f"left out: {model} at {size} m: {error}")
            continue
        cost[f"{model} {size}"] = f"{time.process_time() - start:.1f}"
    return cost


def write(
    folder: Path, images: np.ndarray, days: np.ndarray, bands: Sequence[str]
) -> None:
    folder.mkdir()
    for image, day in zip(images, days, strict=True):
        profile = _profile(image.shape[1:], len(bands), "uint16")
        with rasterio.open(folder / f"{day}.tif", "w", **profile, nodata=0) as file:
            file.write(image)
            file.scales = [1e-4] * len(bands)
            file.update_tags(DATETIME=f"{day}T10:30:00Z")
            for number, band in enumerate(bands, start=1):
                file.set_band_description(number, band)


def _profile(shape: tuple[int, ...], count: int, dtype: str) -> dict:
    return {
        "driver": "GTiff",
        "count": count,
        "height": shape[0],
        "width": shape[1],
        "dtype": dtype,
        "crs": "EPSG:32631",
        "transform": from_origin(WEST, NORTH, PIXEL, PIXEL),
    }


def fires(shared: Path) -> Iterator[tuple[str, Compared]]:
    """Every real fire: the scene before and the one after."""
    import pystac

    place = shared / "data/s2-wildfires-california"
    catalogue = pystac.Catalog.from_file(str(place / "catalog.json"))
    for item in sorted(catalogue.get_items(recursive=True), key=lambda one: one.id):
        if not item.id.endswith("_pre"):
            continue
        name = item.id.removesuffix("_pre")
        after = next(
            one
            for one in catalogue.get_items(recursive=True)
            if one.id == f"{name}_post"
        )
        days = [f"{one.datetime:%Y-%m-%d}" for one in (item, after)]
        with tempfile.TemporaryDirectory() as folder:
            archives = []
            for size in (80, 160):
                archive = td.create(Path(folder) / f"{size}.td", td.Grid(size, gsd=20))
                archive.ingest(
                    place,
                    bbox=tuple(item.bbox),
                    datetime=f"{days[0]}/{days[1]}",
                )
                embedded(archive, size)
                archives.append(archive)
            yield (
                name,
                archives[0].compare(
                    place / "truth" / f"{name}_burned.tif",
                    others=[archives[1].store.root],
                    cell=CELL,
                    date_before=days[0],
                    date_after=days[1],
                    quiet=True,
                ),
            )


def table(found: Sequence[Compared]) -> Table:
    """Means over runs; common grid first, what the published rule says last."""
    head = (
        "model",
        "patches",
        "distance",
        *(f"AUC g {'>' if s == 0 else '>='} {s:g}" for s in SHARES),
        "AP g >= 0.5 (floor)",
        "Spearman",
        "own grid: AUC g = 1 (positives)",
    )
    held: dict[tuple[str, int, str], list] = {}
    for each in found:
        for line in each.lines:
            held.setdefault((line.model, line.patch_size, line.measure), []).append(
                line
            )
    rows = []
    for (model, size, measure), lines in held.items():
        at = [_mean([one.common.roc_auc[s].value for one in lines]) for s in SHARES]
        own = _mean([one.own.roc_auc[1.0].value for one in lines])
        positives = sum(one.own.changed[1.0] for one in lines)
        ap = _mean([one.common.average_precision.value for one in lines])
        floor = _mean([one.common.floor for one in lines])
        rank = _mean([one.common.spearman for one in lines])
        rows.append(
            (
                -np.nan_to_num(at[2]),
                (
                    model.removesuffix("-tokens"),
                    f"{size} m",
                    measure,
                    *(f"{value:.3f}" for value in at),
                    f"{ap:.3f} ({floor:.3f})",
                    f"{rank:.3f}",
                    f"{own:.3f} ({positives:,})",
                ),
            )
        )
    return [head, *(row for _, row in sorted(rows, key=lambda one: one[0]))]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan


def spread(found: Sequence[Compared]) -> Table:
    """Half the width of the first run's intervals: what a difference must pass."""
    first = found[0]
    return [
        ("cells", "blocks", "widest 95 % interval of AUC g >= 0.5"),
        (
            f"{first.lines[0].common.cells:,}",
            str(first.lines[0].common.blocks),
            max(
                f"{line.common.roc_auc[0.5].high - line.common.roc_auc[0.5].low:.3f}"
                for line in first.lines
            ),
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--only", default="drought,transitions,fires")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--docs", type=Path)
    chosen = parser.parse_args()
    seeds = range(1, chosen.seeds + 1)
    for name in chosen.only.split(","):
        start = time.process_time()
        if name == "fires":
            found = [one for _, one in fires(chosen.shared)]
        elif name == "drought":
            found = [simulated(reservoir(seed), (18, 21))[0] for seed in seeds]
        else:
            found = [simulated(transitions(seed), (6, 30))[0] for seed in seeds]
        for marker, rows in ((name, table(found)), (f"{name}-spread", spread(found))):
            text = "\n".join(_lines(rows))
            print(f"\n{marker}, {time.process_time() - start:.0f} CPU s\n{text}")
            if chosen.docs is not None:
                _between(chosen.docs, f"compare:{marker}", text)


if __name__ == "__main__":
    main()
