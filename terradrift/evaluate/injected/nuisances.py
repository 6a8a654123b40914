"""What must not alarm: changes of an image that are none of the ground (pure)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.evaluate.injected.objects import material

Pixels = NDArray[np.float32]
Nuisance = Callable[[Pixels, NDArray[np.floating], np.random.Generator], Pixels]
"""(band, y, x) pixels, wavelengths (band,) in um and a random generator to pixels."""

_HAZE = 0.03
_OFFSET = 0.1
"""Of a forgotten -1000 digital numbers of processing baseline 04.00."""


def _gain(low: float, high: float) -> Nuisance:
    def apply(
        pixels: Pixels, _wavelengths: NDArray[np.floating], random: np.random.Generator
    ) -> Pixels:
        return pixels * np.float32(random.uniform(low, high))

    return apply


def _haze(
    pixels: Pixels, wavelengths: NDArray[np.floating], random: np.random.Generator
) -> Pixels:
    """Path radiance that falls with wavelength, as imperfect correction leaves it."""
    path = (wavelengths / 0.490) ** -2.2
    strength = _HAZE * random.uniform(0.5, 1.5)
    return pixels + (strength * path).astype(np.float32)[:, None, None]


def _shift(
    pixels: Pixels, _wavelengths: NDArray[np.floating], random: np.random.Generator
) -> Pixels:
    """Half a pixel off in a random direction, by linear interpolation."""
    angle = random.uniform(0, 2 * np.pi)
    step = (0.5 * np.sin(angle), 0.5 * np.cos(angle))
    seen = np.isfinite(pixels)
    moved = np.stack(
        [
            ndimage.shift(
                np.where(ok, band, band[ok].mean()), step, order=1, mode="nearest"
            )
            if ok.any()
            else band
            for band, ok in zip(pixels, seen, strict=True)
        ]
    )
    return np.where(seen, moved, np.float32(np.nan)).astype(np.float32)


def _veil(shade: str) -> Nuisance:
    """The edge of a cloud, or of its shadow, that the mask missed: up to a third of it."""

    def apply(
        pixels: Pixels, wavelengths: NDArray[np.floating], random: np.random.Generator
    ) -> Pixels:
        _, rows, cols = pixels.shape
        y = np.arange(rows)[:, None] - random.uniform(0, rows)
        x = np.arange(cols)[None, :] - random.uniform(0, cols)
        reach = 0.15 * max(rows, cols)
        share = 0.35 * np.exp(-((y**2 + x**2) / reach**2)).astype(np.float32)
        light = material("cloud", wavelengths).astype(np.float32)[:, None, None]
        veiled: Pixels = pixels * (1 - share) + light * share * (shade == "cloud")
        return veiled

    return apply


def _snow(
    pixels: Pixels, wavelengths: NDArray[np.floating], random: np.random.Generator
) -> Pixels:
    """A dusting of snow over everything."""
    share = np.float32(random.uniform(0.1, 0.4))
    white = material("snow", wavelengths).astype(np.float32)[:, None, None]
    return pixels * (1 - share) + white * share


def _offset(
    pixels: Pixels, _wavelengths: NDArray[np.floating], _random: np.random.Generator
) -> Pixels:
    return pixels + np.float32(_OFFSET)


NUISANCES: dict[str, Nuisance] = {
    "gain": _gain(0.8, 1.2),
    "haze": _haze,
    "shift": _shift,
    "cloud": _veil("cloud"),
    "shadow": _veil("shadow"),
    "snow": _snow,
    "offset": _offset,
}
"""Sun or calibration gain of 0.8 to 1.2, haze, a shift of half a pixel, edges of a cloud and of
its shadow that the mask missed, a dusting of snow, a forgotten offset of the processing
baseline. The season is taken from another date of the series."""
