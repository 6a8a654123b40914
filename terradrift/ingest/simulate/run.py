"""Simulate a series into a folder, one date at a time."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from terradrift import threads as cores
from terradrift.errors import SourceError
from terradrift.ingest.simulate import catalog, truth
from terradrift.ingest.simulate.changes import Change, plan
from terradrift.ingest.simulate.classify import classify
from terradrift.ingest.simulate.landscape import Landscape, landscape
from terradrift.ingest.simulate.recipe import (
    Acquisition,
    Recipe,
    acquisitions,
    parse_day,
)
from terradrift.ingest.simulate.render import render
from terradrift.ingest.simulate.seasons import Parcels, parcels, surface
from terradrift.ingest.simulate.spectra import BANDS
from terradrift.ingest.simulate.weather import weather
from terradrift.ingest.simulate.write import write_cog

RECIPE_FILE = "simulation.json"


def simulate(
    out: Path | str,
    *,
    size_px: int = 256,
    gsd: float = 10,
    dates: int = 24,
    bands: tuple[str, ...] = tuple(BANDS),
    seed: int = 0,
    start: str = "2019-01-01",
    revisit_days: int = 15,
    changes_per_year: int | None = None,
    quiet_days: int = 90,
    cloudiness: float = 0.5,
    duplicates: float = 0.0,
    baseline_jump: str | None = "2019-10-01",
    epsg: int = 32631,
    origin: tuple[float, float] = (500_000, 5_649_920),
    layout: str = "multiband",
    block_px: int = 256,
    stac_version: str = "1.1.0",
    threads: int | None = None,
) -> Path:
    """Write a realistic Sentinel-2 L2A series with planted changes; give catalog.json.

    The folder gets `images/` and `masks/` (COGs: uint16 reflectance * 10000, nodata 0, and
    SCL), `items/`, `collection.json` and `catalog.json` (STAC, relative hrefs),
    `truth.geojson` and `truth.tif` (see `truth.features`, `truth.raster`). The same
    arguments give the same bytes. Scenes do not depend on `dates`: called again on the
    same folder with more dates, only the new scenes are made. Memory is that of one date.

    Args:
        out: folder, made if need be; empty, or holding a simulation of these arguments.
        size_px: pixels per side of the square scene.
        gsd: metres per pixel.
        dates: number of satellite passes.
        bands: Sentinel-2 band names.
        seed: any whole number from 0.
        start: day of the first pass, ISO 8601.
        revisit_days: days between passes.
        changes_per_year: planted per calendar year at most, kinds in turn; by default 6,
            and more on scenes above 40 km2. 0 plants nothing.
        quiet_days: nothing is planted before so many days after `start`.
        cloudiness: 0 for cloudless, 0.5 as over Flanders, up to 1.
        duplicates: share of passes with a second, overlapping scene of the same day.
        baseline_jump: from that day on scenes are of processing baseline 05.00 and carry
            1000 on their digital numbers, as where reprocessed products are mixed with
            older ones; before, 02.13. None: no jump.
        epsg: projected CRS in metres.
        origin: x and y of the north-west corner in metres.
        layout: `multiband` (one image per scene) or `per-band` (one per band).
        block_px: COG tile size.
        stac_version: 1.0.0 or 1.1.0.
        threads: at most so many; by default all that are available.

    Raises:
        ValueError: an argument out of range.
        SourceError: `out` holds something else.
    """
    if dates < 1:
        raise ValueError(f"dates must be at least 1, got {dates}")
    if changes_per_year is None:
        changes_per_year = max(6, round((size_px * gsd / 1000) ** 2 / 7))
    recipe = Recipe(
        size_px=size_px,
        gsd=float(gsd),
        bands=tuple(bands),
        seed=seed,
        start=parse_day("start", start),
        revisit_days=revisit_days,
        changes_per_year=changes_per_year,
        quiet_days=quiet_days,
        cloudiness=cloudiness,
        duplicates=duplicates,
        baseline_jump=(
            parse_day("baseline_jump", baseline_jump) if baseline_jump else None
        ),
        epsg=epsg,
        origin=(float(origin[0]), float(origin[1])),
        layout=layout,
        block_px=block_px,
        stac_version=stac_version,
    )
    folder = _prepare(Path(out), recipe)
    return _write(
        folder, recipe, list(acquisitions(recipe, dates)), cores.resolve(threads)
    )


def _prepare(out: Path, recipe: Recipe) -> Path:
    """Make the folders, or see that what is there is this very simulation."""
    wanted = json.loads(json.dumps(asdict(recipe), default=str))
    note = out / RECIPE_FILE
    if note.exists():
        held = json.loads(note.read_text(encoding="utf-8"))
        other = sorted(key for key in wanted if held.get(key) != wanted[key])
        if other:
            raise SourceError(
                f"{out} holds a simulation with other {', '.join(other)}; "
                "pass an empty folder"
            )
    elif out.exists() and any(out.iterdir()):
        raise SourceError(f"{out} is not empty and holds no simulation; pass another")
    for name in ("images", "masks", "items"):
        (out / name).mkdir(parents=True, exist_ok=True)
    catalog.write_json(note, wanted)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _World:
    """What all dates share."""

    ground: Landscape
    parcels: Parcels
    changes: list[Change]


def _write(out: Path, recipe: Recipe, scenes: list[Acquisition], threads: int) -> Path:
    ground = landscape(recipe)
    last = scenes[-1].instant.date()
    world = _World(ground, parcels(recipe, ground), plan(recipe, ground, last))
    items: list[dict[str, Any]] = []
    with _pool(threads) as pool:
        for scene in scenes:
            path = out / "items" / f"{scene.scene_id}.json"
            if not path.exists():
                # The item comes last: where it stands, the images are whole.
                catalog.write_json(
                    path, _scene(out, recipe, world, scene, pool=pool, threads=threads)
                )
            items.append(json.loads(path.read_text(encoding="utf-8")))
    found = truth.features(recipe, ground, world.changes, scenes)
    numbers = {feature["id"] for feature in found["features"]}
    planted = truth.raster(recipe, world.changes, numbers)
    write_cog(out / "truth.tif", planted, recipe, names=("change",), threads=threads)
    catalog.write_json(out / "truth.geojson", found)
    return catalog.write_catalog(out, recipe, items)


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    with cores.single_blas(), ThreadPoolExecutor(threads) as pool:
        yield pool


def _scene(
    out: Path,
    recipe: Recipe,
    world: _World,
    scene: Acquisition,
    *,
    pool: ThreadPoolExecutor,
    threads: int,
) -> dict[str, Any]:
    """Make and write the images of one scene; gives its STAC item."""
    ground = world.ground
    today = surface(recipe, world.parcels, scene.instant.date())
    sky = weather(recipe, ground, scene)
    scl = classify(recipe, ground, today.green, sky, scene)
    pixels = render(
        recipe,
        ground,
        world.parcels,
        today=today,
        sky=sky,
        changes=world.changes,
        scene=scene,
        pool=pool,
    )
    write_cog(
        out / catalog.mask_file(scene.scene_id),
        scl[None],
        recipe,
        names=("SCL",),
        threads=threads,
    )
    for file, bands in catalog.image_files(recipe, scene.scene_id).items():
        chosen = [recipe.bands.index(band) for band in bands]
        part = pixels if len(bands) == len(pixels) else pixels[chosen]
        write_cog(out / file, part, recipe, names=bands, threads=threads)
    return catalog.item(recipe, scene, sky, scl)
