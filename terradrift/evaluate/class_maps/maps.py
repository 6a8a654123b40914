"""Monthly land-cover maps with planted transitions, and the images of them (pure).

Parcels are Voronoi cells whose seeds drift slowly, so that class borders wander by less than
a pixel or so; planted transitions turn discs and rectangles into another class, for good.
Images are four bands of the classes' spectra with seasons, habits of parcels, texture, gain,
haze and noise. There are no clouds: maps stand for monthly composites.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from terradrift.ingest.simulate import spectra

BANDS = ("B02", "B03", "B04", "B08")
"""Of Sentinel-2, as rendered."""
CLASSES = ("crop", "grass", "deciduous", "conifer", "soil", "water", "paved")
_GROUND, _GREEN = 0, 1
_MATERIALS = {
    # In winter, and in full leaf.
    "crop": ("soil", "crop"),
    "grass": ("dry", "grass"),
    "deciduous": ("litter", "deciduous"),
    "conifer": ("conifer", "conifer"),
    "soil": ("soil", "soil"),
    "water": ("turbid", "water"),
    "paved": ("paved", "paved"),
}
_SOWN = (0, 1, 2, 3, 5)
"""Classes of parcels; the others come by transitions."""
_HABIT = 2
"""Months by which the season of a crop parcel may shift from year to year."""
_TEXTURE, _GAIN, _HAZE, _NOISE = 0.06, 0.03, 0.01, 0.004
_SCALE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is made."""

    size_px: int = 256
    """Side of the square; pixels of 10 m."""
    months: int = 36
    parcels: int = 90
    drifting: float = 0.25
    """Share of the parcels whose seed moves, and"""
    drift_px: float = 0.02
    """how far in a month."""
    transitions: int = 12
    quiet_months: int = 15
    """Nothing is planted before."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.quiet_months >= self.months - 6:
            raise ValueError(
                f"quiet_months must leave 6 months after it, got {self.quiet_months} of "
                f"{self.months}"
            )
        if self.size_px < 64 or self.parcels < 2:
            raise ValueError(
                f"expected at least 64 pixels and 2 parcels, got {self.size_px} and "
                f"{self.parcels}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Class maps, month by month."""

    labels: NDArray[np.uint8]
    """(t, y, x), number of the class in `CLASSES`; y downwards."""
    parcels: NDArray[np.int32]
    """(t, y, x), number of the parcel."""
    transition: NDArray[np.int32]
    """(y, x), number of the planted transition from 1, 0 without."""
    onset: NDArray[np.int64]
    """(k + 1,), the first month of each transition; entry 0 stands for none and is -1."""
    days: NDArray[np.datetime64]
    """(t,), datetime64[D]."""


def draw(recipe: Recipe) -> Maps:
    """Make the maps; equal recipes give equal maps."""
    random = np.random.default_rng([recipe.seed, 2])
    size, t = recipe.size_px, recipe.months
    seeds = random.uniform(0, size, (recipe.parcels, 2))
    speed = recipe.drift_px * _unit(random.standard_normal((recipe.parcels, 2)))
    speed[random.random(recipe.parcels) >= recipe.drifting] = 0
    cover = random.choice(_SOWN, recipe.parcels).astype(np.uint8)
    pixels = np.indices((size, size)).reshape(2, -1).T + 0.5
    parcels = np.empty((t, size, size), np.int32)
    for month in range(t):
        _, nearest = cKDTree(seeds + month * speed).query(pixels)
        parcels[month] = nearest.reshape(size, size)
    labels = cover[parcels]
    transition = np.zeros((size, size), np.int32)
    onset = np.full(recipe.transitions + 1, -1)
    for number in range(1, recipe.transitions + 1):
        inside = _shape(size, random) & (transition == 0)
        onset[number] = random.integers(recipe.quiet_months, t - 5)
        target = random.choice(len(CLASSES), 1)[0]
        was = np.bincount(labels[0][inside], minlength=len(CLASSES)).argmax()
        if target == was:
            target = (target + 1) % len(CLASSES)
        transition[inside] = number
        labels[onset[number] :, inside] = target
    days = (np.datetime64("2019-01", "M") + np.arange(t)).astype("datetime64[D]") + 14
    return Maps(labels, parcels, transition, onset, days)


def render(
    recipe: Recipe, maps: Maps, bands: Sequence[str] = BANDS
) -> NDArray[np.uint16]:
    """(t, band, y, x) reflectance x 10,000 of the maps in `bands`, at least 1."""
    random = np.random.default_rng([recipe.seed, 3])
    at = spectra.positions(tuple(bands))
    looks = np.array(
        [[spectra.spectrum(one)[at] for one in _MATERIALS[name]] for name in CLASSES]
    )
    years = recipe.months // 12 + 2
    habit = random.uniform(-_HABIT, _HABIT, (recipe.parcels, years))
    vigour = random.uniform(0.75, 1.0, recipe.parcels)
    shape = maps.labels.shape[1:]
    grain = 1 + _TEXTURE * ndimage.gaussian_filter(random.standard_normal(shape), 0.7)
    haze = spectra.haze()[at]
    out = np.empty((recipe.months, len(bands), *shape), np.uint16)
    for month in range(recipe.months):
        of_parcel = _leaf(month % 12 - habit[:, month // 12]) * vigour
        leaf = np.where(
            maps.labels[month] == CLASSES.index("crop"),
            of_parcel[maps.parcels[month]],
            _leaf(np.array(float(month % 12))),
        )
        both = looks[maps.labels[month]]
        image = both[..., _GROUND, :] + leaf[..., None] * (
            both[..., _GREEN, :] - both[..., _GROUND, :]
        )
        image *= grain[..., None] * (1 + _GAIN * random.standard_normal())
        image += _HAZE * random.random() * haze
        image += _NOISE * random.standard_normal(image.shape)
        numbers = np.clip(np.rint(image * _SCALE), 1, 65_535).astype(np.uint16)
        out[month] = np.moveaxis(numbers, -1, 0)
    return out


def changed_share(
    first: NDArray[np.uint8], last: NDArray[np.uint8], side: int
) -> NDArray[np.float64]:
    """(y / side, x / side) share of pixels whose class differs between two maps.

    Raises:
        ValueError: maps of unequal shape, or not whole cells of `side` pixels.
    """
    rows, cols = first.shape
    if first.shape != last.shape or rows % side or cols % side:
        raise ValueError(
            f"expected two maps of one shape, a multiple of {side}, got {first.shape} and "
            f"{last.shape}"
        )
    cells = (first != last).reshape(rows // side, side, cols // side, side)
    share: NDArray[np.float64] = cells.mean(axis=(1, 3))
    return share


def onsets(maps: Maps, side: int) -> NDArray[np.datetime64]:
    """(y / side, x / side) day of the transition that fills most of each cell, NaT without."""
    rows, cols = maps.transition.shape
    parted = maps.transition.reshape(rows // side, side, cols // side, side)
    cells = parted.transpose(0, 2, 1, 3).reshape(rows // side, cols // side, -1)
    count = np.stack(
        [(cells == number).sum(axis=2) for number in range(1, len(maps.onset))]
    )
    most = count.argmax(axis=0) + 1
    day = maps.days[maps.onset[most]]
    return np.where(count.any(axis=0), day, np.datetime64("NaT", "D"))


def _leaf(month: NDArray[np.float64]) -> NDArray[np.float64]:
    """0..1, how green it is in a month from 0, January."""
    green: NDArray[np.float64] = np.clip(
        0.5 - 0.75 * np.cos(2 * np.pi * (month - 0.5) / 12), 0, 1
    )
    return green


def _shape(size: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """(y, x), a disc or a rectangle of 6 to 48 pixels across."""
    reach = random.uniform(3, 24, 2)
    middle = random.uniform(0, size, 2)
    y, x = (np.arange(size) + 0.5 - middle[axis] for axis in (0, 1))
    if random.random() < 0.5:
        disc: NDArray[np.bool_] = y[:, None] ** 2 + x[None, :] ** 2 <= reach[0] ** 2
        return disc
    inside: NDArray[np.bool_] = (np.abs(y) <= reach[0])[:, None] & (
        np.abs(x) <= reach[1]
    )[None, :]
    return inside


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(
        vectors, axis=-1, keepdims=True
    )
    return unit
