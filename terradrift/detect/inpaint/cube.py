"""The history of one window as arrays, and the scaling of its bands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """Frames of one window."""

    days: NDArray[np.datetime64]
    """(t,), datetime64[D], ascending in a history."""
    pixels: NDArray[np.float32]
    """(t, band, y, x), reflectance, NaN where not clear."""
    clear: NDArray[np.float32]
    """(t,), share of the whole frame that is clear in all bands; a part keeps that."""

    @classmethod
    def of(cls, days: NDArray[np.datetime64], pixels: NDArray[np.float32]) -> Cube:
        """With `clear` counted."""
        seen = np.isfinite(pixels).all(axis=1)
        return cls(days, pixels, seen.mean(axis=(1, 2)).astype(np.float32))

    def at(self, frames: NDArray[np.intp]) -> Cube:
        """Some frames, in the order given."""
        return Cube(self.days[frames], self.pixels[frames], self.clear[frames])

    def part(self, y: slice, x: slice) -> Cube:
        """Some of the ground."""
        return replace(self, pixels=self.pixels[:, :, y, x])


class Scaling(NamedTuple):
    """Of each band, from the history that is trained on."""

    centre: NDArray[np.float32]
    """(band,), median reflectance."""
    width: NDArray[np.float32]
    """(band,), 1.4826 times the median absolute deviation."""

    def scaled(self, pixels: NDArray[np.floating]) -> NDArray[np.floating]:
        """(..., band, y, x) less the centre, over the width."""
        centre, width = self.centre[:, None, None], self.width[:, None, None]
        return (pixels - centre) / width


def scaling(cubes: Sequence[Cube]) -> Scaling:
    """Robust location and spread of every band over all clear pixels of `cubes`."""
    bands = cubes[0].pixels.shape[1]
    parts = [np.moveaxis(cube.pixels, 1, 0).reshape(bands, -1) for cube in cubes]
    seen = np.concatenate([p[:, np.isfinite(p).all(axis=0)] for p in parts], axis=1)
    centre = np.median(seen, axis=1).astype(np.float32)
    away = np.median(np.abs(seen - centre[:, None]), axis=1)
    return Scaling(centre, np.maximum(1.4826 * away, 1e-3).astype(np.float32))
