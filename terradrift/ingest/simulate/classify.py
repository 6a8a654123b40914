"""A scene classification (SCL) as Sen2Cor gives it: coarse, late at edges, at times wrong."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.simulate.landscape import CONCRETE, WATER, Landscape
from terradrift.ingest.simulate.noise import coarse_fractal
from terradrift.ingest.simulate.recipe import Acquisition, Recipe, stream
from terradrift.ingest.simulate.weather import Weather

NODATA, DARK, SHADOW, VEGETATION, BARE, WATER_CLASS = 0, 2, 3, 4, 5, 6
UNCLASSIFIED, CLOUD_MEDIUM, CLOUD_HIGH, CIRRUS, SNOW = 7, 8, 9, 10, 11

FACTOR = 2
"""SCL is made at 20 m: one class per 2 x 2 pixels of 10 m."""


def classify(
    recipe: Recipe,
    ground: Landscape,
    green: NDArray[np.float32],
    sky: Weather,
    scene: Acquisition,
) -> NDArray[np.uint8]:
    """(y, x) SCL classes of a scene.

    Of clouds it finds what is denser than a limit that varies over the scene, so thin
    cloud and edges are missed; it loses part of the shadows, takes some bright roofs for
    cloud and some water for shadow, and now and then a clear place for cirrus.
    """
    rng = stream(recipe, 10, scene.index, scene.copy)
    every = (slice(None, None, FACTOR), slice(None, None, FACTOR))
    labels = ground.labels[every]
    cover = ground.cover[labels]
    size = len(labels)
    doubt = coarse_fractal(rng, size, recipe.metres(600) / FACTOR, 2.6, 4)
    cloud, shade = sky.cloud[every], sky.shade[every]

    scl = np.where(green[labels] > 0.42, VEGETATION, BARE).astype(np.uint8)
    scl[rng.random(scl.shape, np.float32) < 0.006] = UNCLASSIFIED
    scl[cover == WATER] = WATER_CLASS
    if sky.snow is not None:
        scl[sky.snow[every] + 0.08 * doubt > 0.4] = SNOW
    scl[(shade > 0.35 + 0.1 * doubt) & (shade > 0.1)] = SHADOW
    scl[(cover == WATER) & (doubt > 1.3)] = SHADOW
    thin = np.float32(0.18 if rng.random() < 0.6 else 0.4)
    scl[(cloud > thin + 0.06 * doubt) & (cloud > 0.03)] = CIRRUS
    scl[(cloud > 0.38 + 0.08 * doubt) & (cloud > 0.1)] = CLOUD_MEDIUM
    scl[(cloud > 0.66 + 0.08 * doubt) & (cloud > 0.3)] = CLOUD_HIGH
    if rng.random() < 0.35:
        scl[(cover == CONCRETE) & (doubt > -0.3)] = CLOUD_MEDIUM
    if rng.random() < 0.2:
        scl[doubt > 2.6] = CIRRUS
    full = np.repeat(np.repeat(scl, FACTOR, 0), FACTOR, 1)
    full = full[: recipe.size_px, : recipe.size_px]
    # A 20 m class is given where any of its 10 m pixels was seen, and only there.
    full[~ndimage.binary_erosion(sky.seen, border_value=1)] = NODATA
    return full
