"""Series of vectors with planted changes, clouds and seasons: truth for every observation (pure).

No image is behind them: e_t = normalise(base of the land cover + what is the patch's own +
season + weather of the date + noise), and where a change was planted another land cover takes
a share of it, at once (step) or over months (ramp). Clouds are fields that move over the
ground; the mask misses some, and these observations look like cloud.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.grid import Grid
from terradrift.series import Series

_START = np.datetime64("2019-01-03")
_EPSG, _ROW, _COL, _PATCH = 32631, 140_000, 12_500, 40
_YEAR = 365.25
_OWN, _WEATHER, _ROTATION = 0.15, 0.2, 0.8
_CLOUD_SMOOTH = 3.0
_HAZE = (0.4, 1.0)
"""Share of an overlooked cloud in what is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is made; lengths of vectors are in units of a land cover's base vector."""

    side: int = 16
    """Patches along a side of the square."""
    dates: int = 60
    every_days: int = 12
    dimensions: int = 32
    covers: int = 5
    """Land covers; in the first one, habits differ from year to year, as on rotated fields."""
    events: int = 8
    """Planted changes, of 1 to 6 patches beside each other."""
    strength: tuple[float, float] = (0.15, 0.6)
    """Share that the other land cover takes at the end, from and to."""
    ramp: float = 0.4
    """Chance that an event is a ramp."""
    ramp_days: int = 120
    quiet_days: int = 380
    """Nothing is planted before."""
    season: float = 0.5
    noise: float = 0.4
    cloud: float = 0.1
    """0..1, share of observations under cloud."""
    missed: float = 0.1
    """Share of these that the mask takes for clear."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("cloud", "missed", "ramp"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        if self.covers < 2 or self.side < 4:
            raise ValueError(
                f"expected 2 covers and a side of 4 patches at least, got {self.covers} "
                f"and {self.side}"
            )
        if self.quiet_days >= (self.dates - 10) * self.every_days:
            raise ValueError(
                f"quiet_days must leave 10 dates for changes, got {self.quiet_days} of "
                f"{self.dates * self.every_days} days"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A series and all that is true of it."""

    series: Series
    event: NDArray[np.int64]
    """(n,), number of the planted change from 1, 0 where nothing changed."""
    kind: NDArray[np.str_]
    """(n,), `step`, `ramp` or empty."""
    onset: NDArray[np.datetime64]
    """(n,), datetime64[D], the first day of the change, NaT without one."""
    settled: NDArray[np.datetime64]
    """(n,), datetime64[D], the day on which it is complete."""
    start: np.datetime64
    """The first day on which something can have changed."""

    @property
    def changed(self) -> NDArray[np.bool_]:
        """(n,), patches of an event."""
        return np.asarray(self.event > 0)


def plant(recipe: Recipe) -> Planted:
    """Make a series; equal recipes give equal series."""
    random = np.random.default_rng([recipe.seed, 4])
    n, t, d = recipe.side**2, recipe.dates, recipe.dimensions
    days = _START + recipe.every_days * np.arange(t)
    cover = _patchwork(recipe, random)
    other = (cover + random.integers(1, recipe.covers, recipe.covers)[cover]) % (
        recipe.covers
    )
    truth = _events(recipe, days, random)
    share = _share(recipe, days, truth, random)[:, :, None]
    looks = _looks(recipe, days, random)
    clean = (1 - share) * looks(cover) + share * looks(other)
    clean += _OWN * _unit(random.standard_normal((n, 1, d)))
    clean += _WEATHER * _unit(random.standard_normal((1, t, d)))
    clean += recipe.noise / np.sqrt(d) * random.standard_normal((n, t, d))
    covered = _clouds(recipe, random)
    overlooked = covered & (random.random((n, t)) < recipe.missed)
    haze = np.where(covered, random.uniform(*_HAZE, (n, t)), 0.0)[:, :, None]
    white = _unit(random.standard_normal(d))
    seen = _unit((1 - haze) * clean + haze * white)
    percent = np.where(covered & ~overlooked, 100 * (1 - haze[..., 0]), 100.0)
    rows, cols = np.divmod(np.arange(n), recipe.side)
    cells = np.column_stack([np.full(n, _EPSG), rows + _ROW, cols + _COL])
    ids = Grid(_PATCH).patch_ids(_EPSG, cells[:, 1], cells[:, 2])
    times = np.broadcast_to(days.astype("datetime64[us]"), (n, t)).copy()
    series = Series(
        ids,
        cells,
        days,
        times,
        seen.astype(np.float16),
        percent.astype(np.float32),
        np.full((n, t, 3), np.nan, np.float32),
    )
    return Planted(series, *truth, days[0] + recipe.quiet_days)


@dataclass(frozen=True, slots=True, eq=False)
class _Looks:
    """What each land cover looks like on each date."""

    base: NDArray[np.float64]
    """(c, d)"""
    season: NDArray[np.float64]
    """(c, t, d)"""
    habits: NDArray[np.float64]
    """(n, t, d), by which patches of the first cover differ from year to year."""

    def __call__(self, cover: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, t, d) of patches of these covers (n,)."""
        seen = self.base[cover][:, None, :] + self.season[cover]
        return np.where((cover == 0)[:, None, None], seen + self.habits, seen)


def _looks(
    recipe: Recipe, days: NDArray[np.datetime64], random: np.random.Generator
) -> _Looks:
    c, t, d = recipe.covers, recipe.dates, recipe.dimensions
    base = _unit(random.standard_normal((c, d)))
    year = (days - _START) / np.timedelta64(1, "D") / _YEAR
    season = np.zeros((c, t, d))
    for harmonic in (1, 2):
        phase = random.uniform(0, 2 * np.pi, (c, 1, 1))
        wave = np.sin(2 * np.pi * harmonic * year[None, :, None] + phase)
        season += (
            recipe.season / harmonic * wave * _unit(random.standard_normal((c, 1, d)))
        )
    # Each patch takes one of three habits anew every year.
    n = recipe.side**2
    crops = _unit(random.standard_normal((3, d)))
    taken = random.integers(0, 3, (n, int(year[-1]) + 1))[:, year.astype(int)]
    growing = np.clip(np.sin(np.pi * (year % 1)) * 2 - 1, 0, 1)[None, :, None]
    return _Looks(base, season, _ROTATION * growing * crops[taken])


def _patchwork(recipe: Recipe, random: np.random.Generator) -> NDArray[np.int64]:
    """(n,) land cover of each patch, in connected areas."""
    fields = random.standard_normal((recipe.covers, recipe.side, recipe.side))
    smooth = np.stack(
        [ndimage.gaussian_filter(one, 1.5, mode="wrap") for one in fields]
    )
    cover: NDArray[np.int64] = smooth.argmax(axis=0).ravel()
    return cover


def _events(
    recipe: Recipe, days: NDArray[np.datetime64], random: np.random.Generator
) -> tuple[
    NDArray[np.int64],
    NDArray[np.str_],
    NDArray[np.datetime64],
    NDArray[np.datetime64],
]:
    """Number, kind, onset and end of each patch's change."""
    n, side = recipe.side**2, recipe.side
    event, kind = np.zeros(n, np.int64), np.full(n, "", "U4")
    onset = np.full(n, np.datetime64("NaT", "D"))
    settled = onset.copy()
    # After the last onset enough dates are left to see what it became.
    first = days[0] + recipe.quiet_days
    last = days[-8]
    for number in range(1, recipe.events + 1):
        rows, cols = int(random.integers(1, 3)), int(random.integers(1, 4))
        top, left = (
            random.integers(0, side - rows + 1),
            random.integers(0, side - cols + 1),
        )
        inside = np.zeros((side, side), bool)
        inside[top : top + rows, left : left + cols] = True
        taken = inside.ravel() & (event == 0)
        day = first + int(random.integers(0, (last - first).astype(int)))
        ramp = random.random() < recipe.ramp
        event[taken], kind[taken] = number, "ramp" if ramp else "step"
        onset[taken] = day
        settled[taken] = day + (recipe.ramp_days if ramp else 0)
    return event, kind, onset, settled


def _share(
    recipe: Recipe,
    days: NDArray[np.datetime64],
    truth: tuple[
        NDArray[np.int64],
        NDArray[np.str_],
        NDArray[np.datetime64],
        NDArray[np.datetime64],
    ],
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """(n, t), how much of the other land cover is there."""
    event, _, onset, settled = truth
    most = random.uniform(*recipe.strength, recipe.events + 1)[event]
    changed = event > 0
    share = np.zeros((len(event), len(days)))
    since = (days[None, :] - onset[changed, None]) / np.timedelta64(1, "D")
    length = (settled - onset)[changed, None] / np.timedelta64(1, "D")
    share[changed] = most[changed, None] * np.where(
        since < 0, 0.0, np.clip((since + 1) / (length + 1), 0, 1)
    )
    return share


def _clouds(recipe: Recipe, random: np.random.Generator) -> NDArray[np.bool_]:
    """(n, t), whether it is under cloud: fields, many on some dates and none on others."""
    n, t, side = recipe.side**2, recipe.dates, recipe.side
    field = random.standard_normal((t, side, side))
    field = np.stack([ndimage.gaussian_filter(one, _CLOUD_SMOOTH) for one in field])
    field /= field.std() + 1e-12
    field += 1.5 * random.standard_normal((t, 1, 1))
    if recipe.cloud == 0:
        return np.zeros((n, t), bool)
    covered: NDArray[np.bool_] = field >= np.quantile(field, 1 - recipe.cloud)
    return covered.reshape(t, n).T


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(
        vectors, axis=-1, keepdims=True
    )
    return unit
