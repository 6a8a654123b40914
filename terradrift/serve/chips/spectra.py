"""What a patch reflected before and after, band by band (pure)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.thumbnails_view import View
from terradrift.chip import BANDS
from terradrift.embed import indices
from terradrift.serve.change import plain

Means = NDArray[np.float32]


def spectra(
    sides: tuple[NDArray[np.float32] | None, NDArray[np.float32] | None],
    bands: tuple[str, ...],
    view: View,
) -> dict[str, Any]:
    """Means over the patch's pixels that are clear in all bands; null where there are none.

    Indices are of these means, as the archive's own are.
    """
    before, after = (_means(one, view) for one in sides)
    held = indices.available(bands)
    return {
        "bands": [
            {
                "band": name,
                "wavelength": BANDS.get(name),
                "before": _number(before, at),
                "after": _number(after, at),
                "difference": _less(_number(after, at), _number(before, at)),
            }
            for at, name in enumerate(bands)
        ],
        "indices": [
            {
                "index": name,
                "before": _index(name, before, bands),
                "after": _index(name, after, bands),
                "difference": _less(
                    _index(name, after, bands), _index(name, before, bands)
                ),
            }
            for name in held
        ],
        "what": (
            "mean reflectance of the patch's clear pixels on the two dates of the chips; "
            "indices are of these means"
        ),
    }


def _means(pixels: NDArray[np.float32] | None, view: View) -> Means | None:
    if pixels is None:
        return None
    down, along = view.inside
    inside = pixels[:, down, along].reshape(len(pixels), -1)
    clear = np.isfinite(inside).all(axis=0)
    if not clear.any():
        return None
    means: Means = inside[:, clear].mean(axis=1, dtype=np.float64).astype(np.float32)
    return means


def _number(means: Means | None, at: int) -> float | None:
    return None if means is None else plain.number(float(means[at]), 5)


def _index(name: str, means: Means | None, bands: tuple[str, ...]) -> float | None:
    if means is None:
        return None
    return plain.number(float(indices.index(name, means, bands, axis=0)), 4)


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else round(one - other, 5)
