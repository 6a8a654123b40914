"""Simulate event folders: sites with a labelled event, and controls without one."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.ingest.events.names import CLASSES
from terradrift.ingest.simulate import events_scars as scars
from terradrift.ingest.simulate.events_plan import (
    RGB,
    Site,
    acquisition,
    plan,
    recipe,
    shift,
)
from terradrift.ingest.simulate.landscape import landscape
from terradrift.ingest.simulate.recipe import Recipe
from terradrift.ingest.simulate.render import render
from terradrift.ingest.simulate.seasons import parcels, surface
from terradrift.ingest.simulate.spectra import BANDS
from terradrift.ingest.simulate.weather import weather
from terradrift.ingest.simulate.write import write_cog

if TYPE_CHECKING:
    from terradrift.ingest.simulate.changes import Change

_WHITE = 0.30
"""Reflectance that is white in a picture."""
_GAMMA = 0.7


def event_folders(
    out: Path | str,
    *,
    events: int = 12,
    controls: int = 6,
    steps: int = 4,
    size_px: int = 256,
    gsd: float = 2.0,
    bands: tuple[str, ...] = RGB,
    seed: int = 0,
    whole: int = 1,
    shifted: int = 1,
) -> Path:
    """Write folders such as `4_fire_03/` with `anomaly_*`, its label and `normal_*`.

    Between the images of a site seasons, light, haze and registration differ (by up to half
    a pixel), and roads and halls are built, all of them before the latest normal image. The
    event is in the monitored image only; controls have none. A site that is there is left
    as it is; each appears whole or not at all. The same arguments give the same bytes.

    Args:
        out: folder, made if need be.
        events: sites with an event, of classes 1 to 6 in turn.
        controls: sites without.
        steps: images of the history of every site.
        size_px: longer side of an image; every third is not square.
        gsd: metres per pixel.
        bands: red, green and blue are written as pictures (bytes), all others as
            reflectance * 10000.
        seed: any whole number from 0.
        whole: first so many events cover nearly all of their image.
        shifted: so many sites after these have an image that is 3 pixels off.

    Raises:
        ValueError: an argument out of range.
        SourceError: `out` is a file.
    """
    if steps < 1 or events < 0 or controls < 0 or not events + controls:
        raise ValueError(
            f"expected 1 step or more and a site, got {steps} steps and {events} + {controls} sites"
        )
    if set(bands) - set(BANDS):
        raise ValueError(
            f"bands must be some of {' '.join(BANDS)}, got {' '.join(bands)}"
        )
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{folder}: expected a folder, got a file")
    sites = plan(
        events=events,
        controls=controls,
        steps=steps,
        size_px=size_px,
        seed=seed,
        whole=whole,
        shifted=shifted,
    )
    with ThreadPoolExecutor(1) as pool:
        for site in sites:
            place = (
                folder
                / f"{site.kind}_{CLASSES[site.kind].replace(' ', '-')}_{site.number:02d}"
            )
            if not place.exists():
                these = recipe(site, size_px=size_px, gsd=gsd, bands=bands, seed=seed)
                _write(place, site, these, pool)
    return folder


def _write(place: Path, site: Site, these: Recipe, pool: ThreadPoolExecutor) -> None:
    partial = place.with_name(f".{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    images, label = _images(site, these, pool)
    for day, image in zip(site.days[:-1], images[:-1], strict=True):
        _cog(partial / f"normal_{day:%Y%m%d}.tif", image, these)
    last = "normal" if site.kind == 0 else "anomaly"
    name = f"{last}_{site.days[-1]:%Y%m%d}"
    _cog(partial / f"{name}.tif", images[-1], these)
    if site.kind:
        write_cog(
            partial / f"{name}_label.tif",
            label[None],
            these,
            names=("class",),
            threads=1,
        )
    partial.replace(place)


def _cog(path: Path, image: NDArray[np.uint16], these: Recipe) -> None:
    if these.bands != RGB:
        write_cog(path, image, these, names=these.bands, threads=1)
        return
    shown = (image.astype(np.float32) / (10_000 * _WHITE)).clip(0, 1) ** _GAMMA
    picture = (1 + 254 * shown).astype(np.uint8)
    write_cog(path, picture, these, names=("red", "green", "blue"), threads=1)


def _images(
    site: Site, these: Recipe, pool: ThreadPoolExecutor
) -> tuple[list[NDArray[np.uint16]], NDArray[np.uint8]]:
    """(band, y, x) of every day, and the label (y, x)."""
    ground = landscape(these)
    inside = site.height, site.width
    rng = np.random.default_rng([these.seed, 1])
    happened: list[Change] = []
    label = np.zeros(ground.labels.shape, np.uint8)
    # What is built is there in the latest normal image at the latest.
    for build in range(2):
        when = site.days[min(1 + build, len(site.days) - 2)]
        happened.append(scars.hall(ground, rng, when, these.gsd, inside))
        happened.append(scars.road(ground, rng, when, these.gsd))
    if site.kind:
        mine, label = scars.event(
            ground,
            rng,
            kind=site.kind,
            share=site.share,
            day=site.days[-1],
            inside=inside,
        )
        happened += mine
    fields = parcels(these, ground)
    images = []
    for at in range(len(site.days)):
        scene = acquisition(site, at)
        fine, whole = shift(site, at, rng)
        sky = replace(
            weather(these, ground, scene),
            snow=None,
            seen=np.ones(ground.labels.shape, bool),
            shift=fine,
        )
        image = render(
            these,
            ground,
            fields,
            today=surface(these, fields, scene.instant.date()),
            sky=sky,
            changes=happened,
            scene=scene,
            pool=pool,
        )
        image = np.roll(image, whole, (1, 2))
        images.append(image[:, : site.height, : site.width])
    return images, label[: site.height, : site.width]
