"""The outline of one change on the ground, by kind (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.simulate import landscape as land
from terradrift.ingest.simulate.landscape import Landscape

_VEGETATION = (land.CROP, land.GRASS, land.DECIDUOUS, land.CONIFER, land.GARDEN)


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """A soft mask in a window of the scene."""

    top: int
    left: int
    mask: NDArray[np.float32]
    """(y, x), 0..1, share of each pixel that changes."""
    expected_px: float
    """Pixels that it would have with nothing in its way."""

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the scene."""
        rows, cols = self.mask.shape
        return slice(self.top, self.top + rows), slice(self.left, self.left + cols)


def draw(
    kind: str,
    ground: Landscape,
    rng: np.random.Generator,
    *,
    y: int,
    x: int,
    width: float,
) -> Footprint:
    """A change of `kind` about `width` pixels across at row `y`, column `x`."""
    reach = int(np.ceil(2.2 * width)) + 2
    size = len(ground.labels)
    top, left = max(y - reach, 0), max(x - reach, 0)
    window = (slice(top, min(y + reach, size)), slice(left, min(x + reach, size)))
    dy, dx = np.mgrid[window].astype(np.float32)
    dy -= y
    dx -= x
    cover = ground.cover[ground.labels[window]]
    height = ground.height[window]
    allowed: tuple[int, ...] = _VEGETATION
    if kind in ("clear-cut", "construction"):
        mask, expected = _rectangle(rng, dy, dx, width)
        allowed = (land.DECIDUOUS, land.CONIFER)
        if kind == "construction":
            allowed = (land.CROP, land.GRASS, *allowed)
    elif kind == "landslide":
        slope = (float(ground.slope_y[y, x]), float(ground.slope_x[y, x]))
        mask, expected = _tongue(dy, dx, width, slope)
    elif kind == "flood":
        mask, expected = _water(dy, dx, height, width)
        allowed = (*_VEGETATION, land.BARE)
    else:
        mask, expected = _blot(rng, dy, dx, width)
        expected *= 0.6
        if kind == "drought":
            allowed = (land.GRASS, land.CROP)
    mask = np.where(np.isin(cover, allowed), mask, 0).astype(np.float32)
    return Footprint(top, left, mask, expected)


def _rectangle(
    rng: np.random.Generator, dy: NDArray[np.float32], dx: NDArray[np.float32], w: float
) -> tuple[NDArray[np.float32], float]:
    angle = rng.uniform(0, np.pi)
    aspect = rng.uniform(1.0, 1.9)
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    inside = np.minimum(w * aspect / 2 - np.abs(along), w / 2 - np.abs(across))
    return np.clip(inside + 0.5, 0, 1).astype(np.float32), w * w * aspect


def _tongue(
    dy: NDArray[np.float32],
    dx: NDArray[np.float32],
    w: float,
    slope: tuple[float, float],
) -> tuple[NDArray[np.float32], float]:
    """A scar that runs downhill and widens: about three times as long as wide."""
    steep = max(float(np.hypot(*slope)), 1e-6)
    down_y, down_x = -slope[0] / steep, -slope[1] / steep
    along = (dy * down_y + dx * down_x) / (3 * w) + 0.5
    across = dy * down_x - dx * down_y
    half = w * (0.3 + 0.25 * np.clip(along, 0, 1))
    inside = np.minimum(half - np.abs(across), 3 * w * np.minimum(along, 1 - along))
    return np.clip(inside + 0.5, 0, 1).astype(np.float32), 3 * w * w * 0.85


def _water(
    dy: NDArray[np.float32],
    dx: NDArray[np.float32],
    height: NDArray[np.float32],
    w: float,
) -> tuple[NDArray[np.float32], float]:
    """The lowest ground within reach: as much as a disc of that width holds half of."""
    near = np.hypot(dy, dx) < w * 0.75
    wanted = 0.5 * np.pi * (w / 2) ** 2
    level = np.sort(height[near])[: max(int(wanted), 1)][-1]
    soft = np.clip((level - height) / max(0.04 * level, 1e-6) + 0.5, 0, 1) * near
    return soft.astype(np.float32), wanted * 0.5


def _blot(
    rng: np.random.Generator, dy: NDArray[np.float32], dx: NDArray[np.float32], w: float
) -> tuple[NDArray[np.float32], float]:
    """A ragged blot with a core that changes fully and an edge that changes in part."""
    ragged = ndimage.gaussian_filter(
        rng.standard_normal(dy.shape), max(w / 9, 1.0), mode="nearest"
    )
    ragged /= max(float(ragged.std()), 1e-9)
    inside = 1 - np.hypot(dy, dx) / (w / 2) + 0.22 * ragged
    return np.clip(inside * 2.2 + 0.5, 0, 1).astype(np.float32), np.pi * (w / 2) ** 2
