"""Spectral indices of reflectances (pure)."""

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import INDICES

_PAIRS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ndvi": (("nir", "nir08"), ("red",)),
    "nbr": (("nir", "nir08"), ("swir22",)),
    "ndwi": (("green",), ("nir", "nir08")),
}
"""index = (a - b) / (a + b), each the first band of its list that is there."""


def available(bands: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `chip.INDICES` that `bands` allow, in that order."""
    return tuple(
        name
        for name in INDICES
        if name in bands or all(_first(side, bands) for side in _PAIRS[name])
    )


def needed(bands: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `bands` that the indices they allow are computed from, in their order."""
    used: set[str | None] = set()
    for name in available(bands):
        sides = (
            [name] if name in bands else [_first(side, bands) for side in _PAIRS[name]]
        )
        used.update(sides)
    return tuple(band for band in bands if band in used)


def index(
    name: str, reflectance: NDArray[np.float32], bands: tuple[str, ...], axis: int
) -> NDArray[np.float32]:
    """One index, -1..1, of reflectances whose bands lie along `axis`; NaN where undefined.

    A band that already has the index's name is used as it is. Reflectance below 0 counts
    as 0, so that the index stays in its range.

    Raises:
        ValueError: the bands do not allow the index.
    """
    if name in bands:
        own: NDArray[np.float32] = np.take(reflectance, bands.index(name), axis)
        return own
    first, second = (_first(side, bands) for side in _PAIRS[name])
    if first is None or second is None:
        raise ValueError(f"{name} cannot be computed from bands {', '.join(bands)}")
    a, b = (
        np.maximum(np.take(reflectance, bands.index(band), axis), 0)
        for band in (first, second)
    )
    total = a + b
    found: NDArray[np.float32] = np.divide(
        a - b, total, out=np.full_like(total, np.nan), where=total > 0
    )
    return found


def _first(candidates: tuple[str, ...], bands: tuple[str, ...]) -> str | None:
    return next((band for band in candidates if band in bands), None)
