"""Series of vectors with planted regimes on two levels: truth for every patch (pure).

e_t = state of the ground + path through the year + what the patch's own + weather of the date +
noise. Paths of one ground have the same mean, so that only their course through time tells
them apart; regimes lie in connected areas. What is the patch's own, and part of the noise,
lies in a few loud directions that say nothing of regimes, as shade and haze do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.grid import Grid
from terradrift.series import Series

_START = np.datetime64("2019-01-05")
_EPSG, _ROW, _COL, _PATCH = 32631, 140_000, 12_500, 40
_LOUD = 4
"""Directions that say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is made; lengths are in units of the state of a ground."""

    side: int = 32
    """Patches along a side of the square."""
    dates: int = 24
    every_days: int = 15
    dimensions: int = 48
    ground: int = 4
    paths: int = 3
    """Of each ground."""
    season: float = 0.7
    loud: float = 0.6
    """Of the directions that say nothing, per date and per patch."""
    noise: float = 0.7
    cloud: float = 0.2
    """0..1, share of observations that are not clear."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.side < 8 or self.dates < 8 or self.ground < 2 or self.paths < 1:
            raise ValueError(
                "expected a side of 8, 8 dates, 2 grounds and a path of each at least, got "
                f"{self.side}, {self.dates}, {self.ground} and {self.paths}"
            )
        if not 0 <= self.cloud < 1:
            raise ValueError(f"cloud must be 0 and below 1, got {self.cloud}")


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A series, and the regimes of its patches."""

    series: Series
    ground: NDArray[np.int64]
    """(n,)"""
    leaf: NDArray[np.int64]
    """(n,), of ground and path together."""


def plant(recipe: Recipe) -> Planted:
    """Make a series; equal recipes give equal series."""
    random = np.random.default_rng([recipe.seed, 12])
    n, t, d = recipe.side**2, recipe.dates, recipe.dimensions
    ground = _patchwork(recipe.side, recipe.ground, 3.0, random)
    leaf = ground * recipe.paths + _patchwork(recipe.side, recipe.paths, 1.5, random)
    state = _unit(random.standard_normal((recipe.ground, d)))
    paths = _paths(recipe, random)
    loud = _unit(random.standard_normal((_LOUD, d)))
    seen = state[ground][:, None] + paths[leaf]
    own = random.standard_normal((n, 1, _LOUD)) + random.standard_normal((n, t, _LOUD))
    seen += recipe.loud / np.sqrt(_LOUD) * own @ loud
    seen += 0.3 * _unit(random.standard_normal((1, t, d)))
    seen += recipe.noise / np.sqrt(d) * random.standard_normal((n, t, d))
    clear = random.random((n, t)) >= recipe.cloud
    days = _START + recipe.every_days * np.arange(t)
    rows, cols = np.divmod(np.arange(n), recipe.side)
    cells = np.column_stack([np.full(n, _EPSG), rows + _ROW, cols + _COL])
    series = Series(
        Grid(_PATCH).patch_ids(_EPSG, cells[:, 1], cells[:, 2]),
        cells,
        days,
        np.broadcast_to(days.astype("datetime64[us]"), (n, t)).copy(),
        seen.astype(np.float16),
        np.where(clear, 100.0, 0.0).astype(np.float32),
        np.full((n, t, 3), np.nan, np.float32),
    )
    return Planted(series, ground, leaf)


def _paths(recipe: Recipe, random: np.random.Generator) -> NDArray[np.float64]:
    """(leaves, t, d) courses of a mean of zero over the calendar."""
    k, t = recipe.ground * recipe.paths, recipe.dates
    year = 2 * np.pi * np.arange(t) * recipe.every_days / 365.25
    phase = random.uniform(0, 2 * np.pi, (k, 1))
    axis = _unit(random.standard_normal((k, recipe.dimensions)))
    wave = np.sin(year[None] + phase)
    wave -= wave.mean(axis=1, keepdims=True)
    return recipe.season * wave[..., None] * axis[:, None]


def _patchwork(
    side: int, kinds: int, width: float, random: np.random.Generator
) -> NDArray[np.int64]:
    """(side * side,) a kind of each patch, in connected areas of all kinds."""
    fields = random.standard_normal((kinds, side, side))
    smooth = np.stack([ndimage.gaussian_filter(f, width, mode="wrap") for f in fields])
    smooth /= smooth.std(axis=(1, 2), keepdims=True)
    found: NDArray[np.int64] = smooth.argmax(axis=0).ravel()
    return found


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(
        vectors, axis=-1, keepdims=True
    )
    return unit
