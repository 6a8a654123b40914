"""Planted changes: what happens, where, when, and how far it has gone on a day (pure)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.simulate import footprints
from terradrift.ingest.simulate import landscape as land
from terradrift.ingest.simulate.landscape import Landscape
from terradrift.ingest.simulate.recipe import Recipe, stream
from terradrift.ingest.simulate.seasons import weeds
from terradrift.ingest.simulate.spectra import spectrum

AFFECTED = 0.1
"""A scene counts as affected from this part of the full change on."""

_TRIES = 60
_MOST_OF_SCENE = 0.22
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of change: its place, its size, its season and its course."""

    name: str
    covers: tuple[int, ...]
    """Land covers in which it starts."""
    metres: tuple[float, float]
    """Shortest and longest width."""
    season: tuple[int, int]
    """First and last day of the year of its onset."""
    course: str
    """`abrupt` or `gradual`."""
    persistence: str
    """`persistent` or `transient`."""


KINDS = (
    Kind(
        "clear-cut",
        (land.CONIFER, land.DECIDUOUS),
        (80, 320),
        (20, 345),
        "abrupt",
        "persistent",
    ),
    Kind(
        "construction",
        (land.CROP, land.GRASS),
        (60, 260),
        (60, 300),
        "gradual",
        "persistent",
    ),
    Kind("flood", (land.WATER,), (160, 700), (20, 350), "abrupt", "transient"),
    Kind(
        "fire",
        (land.CONIFER, land.DECIDUOUS),
        (120, 600),
        (150, 265),
        "abrupt",
        "persistent",
    ),
    Kind(
        "drought",
        (land.GRASS, land.CROP),
        (300, 900),
        (135, 190),
        "gradual",
        "transient",
    ),
    Kind(
        "landslide",
        (land.CONIFER, land.DECIDUOUS, land.GRASS),
        (60, 150),
        (40, 335),
        "abrupt",
        "persistent",
    ),
)


def _mixed(one: str, other: str, share: float) -> NDArray[np.float64]:
    share = min(1.0, max(0.0, share))
    return (1 - share) * spectrum(one) + share * spectrum(other)


_SURFACES: dict[str, Callable[[int, int], NDArray[np.float64]]] = {
    "clear-cut": lambda _age, _lasts: _mixed("slash", "soil", 0.2),
    # Earthwork first; roofs and tarmac within three months of the end of growth.
    "construction": lambda age, lasts: _mixed("sand", "paved", (age - lasts) / 90),
    "flood": lambda age, lasts: _mixed("turbid", "mud", age / lasts),
    # Rain washes the ash away within a year.
    "fire": lambda age, _lasts: _mixed("char", "litter", min(0.7, age / 400)),
    "drought": lambda _age, _lasts: _mixed("dry", "soil", 0.15),
    "landslide": lambda _age, _lasts: _mixed("sand", "soil", 0.4),
}
"""Kind to the (10,) reflectance of ground that changed so many days ago."""

_OVERGROWN = ("clear-cut", "fire", "landslide")


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One planted change."""

    number: int
    kind: Kind
    onset: date
    lasts_days: int
    """Days that a transient change takes from onset to its end, or a gradual one to grow."""
    top: int
    left: int
    mask: NDArray[np.float32]
    """(y, x) from `top`, `left`: 0..1, share of each pixel that changes."""

    @property
    def end(self) -> date | None:
        """Day on which the ground is as before; None where the change stays."""
        if self.kind.persistence == "persistent":
            return None
        return self.onset + timedelta(days=self.lasts_days)

    def strength(self, day: date) -> float:
        """0..1, how far the change has gone on `day`."""
        at = (day - self.onset).days
        if at < 0:
            return 0.0
        if self.kind.persistence == "transient":
            left = max(0.0, 1 - at / self.lasts_days)
            grown = (
                1.0 if self.kind.course == "abrupt" else at / (0.4 * self.lasts_days)
            )
            return min(1.0, grown + 1e-3, 4 * left)
        if self.kind.course == "gradual":
            return min(1.0, (at + 1) / self.lasts_days)
        return 1.0

    def target(self, day: date) -> NDArray[np.float64]:
        """(10,) reflectance of the fully changed ground on `day`."""
        age = (day - self.onset).days
        surface = _SURFACES[self.kind.name](age, self.lasts_days)
        if self.kind.name in _OVERGROWN:
            green = weeds(day, self.onset)
            surface = (1 - green) * surface + green * spectrum("grass")
        return surface


def plan(recipe: Recipe, ground: Landscape, last: date) -> list[Change]:
    """The changes that begin on or before `last`, in order of number.

    Years are planned one after the other and whole, so a later `last` adds changes and
    moves none. No two changes touch; where no room is left for one, there is none.
    """
    taken = np.zeros((recipe.size_px, recipe.size_px), bool)
    rooms: dict[tuple[int, ...], NDArray[np.float32]] = {}
    out: list[Change] = []
    for year in range(recipe.start.year, last.year + 1):
        for number, kind, onset in _year(recipe, year):
            rng = stream(recipe, 6, year, number)
            if kind.covers not in rooms:
                rooms[kind.covers] = _room(ground, kind.covers)
            change = _place(
                recipe,
                ground,
                rng,
                kind=kind,
                onset=onset,
                number=len(out) + 1,
                taken=taken,
                room=rooms[kind.covers],
            )
            if change is not None:
                out.append(change)
                _occupy(taken, change, gap=max(2, round(recipe.metres(60))))
    return [change for change in out if change.onset <= last]


def _year(recipe: Recipe, year: int) -> Iterator[tuple[int, Kind, date]]:
    """Kinds in turn, each on a day of its season that lies after the quiet time."""
    first = recipe.start + timedelta(days=recipe.quiet_days)
    rng = stream(recipe, 7, year)
    begin = int(rng.integers(len(KINDS)))
    for number in range(recipe.changes_per_year):
        kind = KINDS[(begin + number) % len(KINDS)]
        share = float(rng.random())
        low = max(date(year, 1, 1) + timedelta(days=kind.season[0]), first)
        high = date(year, 1, 1) + timedelta(days=kind.season[1])
        if low <= high:
            yield number, kind, low + timedelta(days=round(share * (high - low).days))


def _place(
    recipe: Recipe,
    ground: Landscape,
    rng: np.random.Generator,
    *,
    kind: Kind,
    onset: date,
    number: int,
    taken: NDArray[np.bool_],
    room: NDArray[np.float32],
) -> Change | None:
    """A free place for a change of this kind, smaller where there is little room."""
    most = _MOST_OF_SCENE * recipe.size_px
    low, high = (min(recipe.metres(length), most) for length in kind.metres)
    width = float(np.exp(rng.uniform(np.log(low), np.log(max(high, low * 1.01)))))
    lasts = {
        "flood": max(24, round(1.6 * recipe.revisit_days)) + int(rng.integers(0, 20)),
        "drought": 130 + int(rng.integers(0, 50)),
        "construction": 40 + int(rng.integers(0, 80)),
    }.get(kind.name, 1)
    for attempt in range(_TRIES):
        size = max(low, width * 0.97**attempt)
        inner = 0.0 if kind.name == "flood" else 0.35 * size
        spots = np.flatnonzero((room > inner) & ~taken)
        if not len(spots):
            continue
        y, x = divmod(int(rng.choice(spots)), recipe.size_px)
        shape = footprints.draw(kind.name, ground, rng, y=y, x=x, width=size)
        mask = np.where(taken[shape.window], 0, shape.mask).astype(np.float32)
        sure = mask > 0.5
        whole = ndimage.label(sure)[1] == 1 or kind.name in ("flood", "drought", "fire")
        free = not (taken[shape.window] & (shape.mask > 0)).any()
        if free and whole and sure.sum() >= 0.45 * shape.expected_px:
            return Change(number, kind, onset, lasts, shape.top, shape.left, mask)
    return None


def _room(ground: Landscape, covers: tuple[int, ...]) -> NDArray[np.float32]:
    """(y, x), distance in pixels to the nearest other cover or the scene's edge."""
    inside = np.pad(ground.pixels(*covers), 1)
    distance: NDArray[np.float32] = ndimage.distance_transform_edt(inside)[
        1:-1, 1:-1
    ].astype(np.float32)
    return distance


def _occupy(taken: NDArray[np.bool_], change: Change, gap: int) -> None:
    rows, cols = change.mask.shape
    top, left = max(change.top - gap, 0), max(change.left - gap, 0)
    window = (
        slice(top, change.top + rows + gap),
        slice(left, change.left + cols + gap),
    )
    inner = np.zeros(taken[window].shape, bool)
    y, x = change.top - top, change.left - left
    inner[y : y + rows, x : x + cols] = change.mask > 0
    taken[window] |= ndimage.binary_dilation(inner, iterations=gap)
