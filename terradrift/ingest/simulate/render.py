"""Ground, changes and weather of one day to digital numbers, band by band."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.simulate.changes import Change
from terradrift.ingest.simulate.landscape import Landscape
from terradrift.ingest.simulate.noise import Field
from terradrift.ingest.simulate.recipe import Acquisition, Recipe, stream
from terradrift.ingest.simulate.seasons import Parcels, Surface
from terradrift.ingest.simulate.spectra import SHADE, haze, positions, spectrum
from terradrift.ingest.simulate.weather import Weather

_NOISE = 0.0022
_POINT_SPREAD = 0.11
"""Share of light from each neighbour in a row: the sensor's blur at 10 m."""


def render(
    recipe: Recipe,
    ground: Landscape,
    these: Parcels,
    *,
    today: Surface,
    sky: Weather,
    changes: Sequence[Change],
    scene: Acquisition,
    pool: ThreadPoolExecutor,
) -> NDArray[np.uint16]:
    """(band, y, x) digital numbers, 0 outside the swath; bands are made at once in `pool`."""
    texture = these.roughness[ground.labels]
    texture *= ground.grain
    texture += 1
    texture *= sky.light
    day = scene.instant.date()
    active = [change for change in changes if change.strength(day) > 0]

    def band(position: int) -> NDArray[np.uint16]:
        clean = today.mean[:, position][ground.labels]
        clean += today.slope[:, position][ground.labels] * ground.vigour
        np.maximum(clean, 0.002, out=clean)
        clean *= texture
        _plant(clean, active, position, day, ground.grain)
        seen = _through(clean, sky, position)
        return _digitise(seen, recipe, sky, scene, position)

    out = np.empty((len(recipe.bands), recipe.size_px, recipe.size_px), np.uint16)
    for number, pixels in enumerate(pool.map(band, positions(recipe.bands))):
        out[number] = pixels
    return out


def _plant(
    clean: Field, active: Sequence[Change], position: int, day: date, grain: Field
) -> None:
    """Mix the changed ground in, in place."""
    for change in active:
        rows, cols = change.mask.shape
        window = (
            slice(change.top, change.top + rows),
            slice(change.left, change.left + cols),
        )
        share = change.mask * np.float32(change.strength(day))
        rough = 1 + np.float32(0.07) * grain[window]
        clean[window] += share * (
            np.float32(change.target(day)[position]) * rough - clean[window]
        )


def _through(clean: Field, sky: Weather, position: int) -> Field:
    """The ground as seen: snow, light, shadow, haze, cloud, and the sensor's blur."""
    if sky.snow is not None:
        clean += sky.snow * (np.float32(spectrum("snow")[position]) - clean)
    clean *= np.float32(sky.gain * (1 + sky.tilt * (position - 4.5) / 4.5))
    clean *= 1 - sky.shade * np.float32(1 - SHADE[position])
    clean += sky.haze * haze()[position]
    clean += sky.cloud * (np.float32(spectrum("cloud")[position]) - clean)
    for axis in (0, 1):
        s = sky.shift[axis]
        weights = _kernel(s)
        ndimage.correlate1d(clean, weights, axis=axis, output=clean, mode="nearest")
    return clean


def _kernel(shift: float) -> NDArray[np.float64]:
    """Five weights: the blur, moved by a part of a pixel."""
    blur = np.array([0, _POINT_SPREAD, 1 - 2 * _POINT_SPREAD, _POINT_SPREAD, 0])
    side = 1 if shift > 0 else -1
    return (1 - abs(shift)) * blur + abs(shift) * np.roll(blur, side)


def _digitise(
    seen: Field, recipe: Recipe, sky: Weather, scene: Acquisition, position: int
) -> NDArray[np.uint16]:
    rng = stream(recipe, 11, scene.index, scene.copy, position)
    noise = rng.standard_normal(seen.shape, dtype=np.float32)
    noise *= np.float32(_NOISE) + np.float32(0.006) * seen
    seen += noise
    seen *= 10_000
    seen += 0.5
    np.clip(seen, 1, 65_535 - scene.boa_add, out=seen)
    numbers = seen.astype(np.uint16)
    numbers += np.uint16(scene.boa_add)
    numbers *= sky.seen
    return numbers
