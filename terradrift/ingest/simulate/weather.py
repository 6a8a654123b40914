"""Light, haze, clouds and their shadows on one day, and the mask that misses some (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.simulate.landscape import DECIDUOUS, WATER, Landscape
from terradrift.ingest.simulate.noise import Field, coarse_fractal, ramp
from terradrift.ingest.simulate.recipe import Acquisition, Recipe, stream

_CLEAR, _PARTLY = 0.52, 0.34
_LATITUDE = 51.0
_SWATH_TILT = 0.21
"""Sentinel-2 swath edges lean about 12 degrees from north."""


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """What stands between the ground and the sensor on one day."""

    sun_elevation: float
    sun_azimuth: float
    """Degrees; azimuth clockwise from north."""
    gain: float
    """Sun and view gain that atmospheric correction leaves, about 1."""
    tilt: float
    """Spectral tilt of the gain over the bands, about 0."""
    light: Field
    """(y, x), gain of slopes that face the sun, about 1."""
    haze: Field
    """(y, x), path radiance in the blue, reflectance."""
    cloud: Field
    """(y, x), 0..1 opacity."""
    shade: Field
    """(y, x), 0..1 depth of cloud shadow."""
    snow: Field | None
    """(y, x), 0..1, or None on the many days without."""
    seen: NDArray[np.bool_]
    """(y, x), inside the swath."""
    shift: tuple[float, float]
    """Sub-pixel misregistration (down, right) in pixels."""


def weather(recipe: Recipe, ground: Landscape, scene: Acquisition) -> Weather:
    """The weather of one scene; copies of one pass share sky and ground, not geometry."""
    rng = stream(recipe, 8, scene.index)
    size = recipe.size_px
    elevation, azimuth = _sun(scene)
    cloud, shade = _clouds(rng, recipe, elevation, azimuth)
    toward = np.radians(azimuth)
    facing = ground.slope_y * np.cos(toward) - ground.slope_x * np.sin(toward)
    facing *= np.float32(-0.028 / np.tan(np.radians(max(elevation, 12.0))))
    thick = float(rng.gamma(1.4, 0.005))
    haze = coarse_fractal(rng, size, recipe.metres(4000), 3.2, 8)
    haze = np.float32(thick) * (1 + np.float32(0.3) * haze).clip(0, None)
    gain, tilt = float(rng.normal(1, 0.03)), float(rng.normal(0, 0.015))
    snow = _snow(rng, recipe, ground, scene)
    own = stream(recipe, 9, scene.index, scene.copy)
    return Weather(
        sun_elevation=elevation,
        sun_azimuth=azimuth,
        gain=gain,
        tilt=tilt,
        light=(1 + facing).clip(0.8, 1.2),
        haze=haze,
        cloud=cloud,
        shade=shade,
        snow=snow,
        seen=_swath(own, size, always=scene.copy > 0),
        shift=(float(own.uniform(-0.3, 0.3)), float(own.uniform(-0.3, 0.3))),
    )


def _sun(scene: Acquisition) -> tuple[float, float]:
    """Elevation and azimuth in degrees about half past ten local solar time."""
    doy = scene.instant.timetuple().tm_yday
    declination = np.radians(-23.44 * np.cos(2 * np.pi * (doy + 10) / 365.25))
    hour, latitude = np.radians(-15.0 * 1.2), np.radians(_LATITUDE)
    up = np.sin(latitude) * np.sin(declination)
    up += np.cos(latitude) * np.cos(declination) * np.cos(hour)
    south = np.sin(latitude) * np.cos(declination) * np.cos(hour)
    south -= np.cos(latitude) * np.sin(declination)
    east = -np.cos(declination) * np.sin(hour)
    azimuth = np.degrees(np.arctan2(east, -south)) % 360
    return float(np.degrees(np.arcsin(up))), float(azimuth)


def _clouds(
    rng: np.random.Generator, recipe: Recipe, elevation: float, azimuth: float
) -> tuple[Field, Field]:
    """Opacity of clouds and depth of their shadows.

    Half of the days are nearly clear, a third are partly cloudy, the rest is overcast
    (shares as in a year over Flanders), scaled by `cloudiness`.
    """
    size = recipe.size_px
    draw = float(rng.random())
    amount = float(rng.random())
    scale = float(rng.uniform(900, 3000))
    soft = float(rng.uniform(0.2, 0.7))
    field = coarse_fractal(rng, size, recipe.metres(scale), 3.4, 2)
    field += 0.8 * coarse_fractal(rng, size, recipe.metres(9000), 3.6, 8)
    if draw < _CLEAR:
        share = max(0.0, 0.06 * amount - 0.03)
    elif draw < _CLEAR + _PARTLY:
        share = 0.05 + 0.55 * amount
    else:
        share = 0.7 + 0.6 * amount
    share *= 2 * recipe.cloudiness
    if share <= 0:
        return np.zeros_like(field), np.zeros_like(field)
    # The small part of the field above its 1 - share quantile is cloud.
    sample = np.sort(field[::4, ::4].ravel())
    edge = float(sample[int((1 - min(share, 1.0)) * (len(sample) - 1))])
    edge -= 2.0 * max(share - 1, 0)
    cloud = ramp(field, edge - soft, edge + 1.6 * soft)
    reach = recipe.metres(float(rng.uniform(500, 2200)))
    reach /= np.tan(np.radians(max(elevation, 8.0)))
    away = np.radians(azimuth + 180)
    moved = (-round(reach * np.cos(away)), round(reach * np.sin(away)))
    shade = ndimage.uniform_filter(np.roll(cloud, moved, (0, 1)), 3, mode="wrap")
    return cloud, np.asarray(shade, np.float32)


def _snow(
    rng: np.random.Generator, recipe: Recipe, ground: Landscape, scene: Acquisition
) -> Field | None:
    falls = rng.random() < 0.12 and scene.instant.month in (12, 1, 2)
    if not falls:
        return None
    cover = coarse_fractal(rng, recipe.size_px, recipe.metres(1500), 3.0, 4)
    cover = ramp(cover + 2 * ground.height, -0.6, 1.2)
    thin = np.where(ground.cover >= DECIDUOUS, 0.35, 0.95).astype(np.float32)
    thin[ground.cover == WATER] = 0
    return cover * thin[ground.labels]


def _swath(rng: np.random.Generator, size: int, *, always: bool) -> NDArray[np.bool_]:
    """All of the scene, or what one side of a leaning swath edge leaves of it."""
    cut = rng.random() < 0.18 or always
    if not cut:
        return np.ones((size, size), bool)
    edge = float(rng.uniform(0.15, 0.85)) * size
    y, x = np.ogrid[:size, :size]
    side = x - edge + _SWATH_TILT * (y - size / 2)
    seen: NDArray[np.bool_] = side > 0 if rng.random() < 0.5 else side <= 0
    return seen
