"""How parcels look on a day: crop calendars, leaves, mowing, dry years (pure)."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from terradrift.ingest.simulate import landscape as land
from terradrift.ingest.simulate.landscape import COVERS, Landscape
from terradrift.ingest.simulate.recipe import Recipe, stream
from terradrift.ingest.simulate.spectra import WETNESS, spectrum

Values = NDArray[np.float64]

# Day of the harvest year: emerged, closed canopy, ripening, harvest; then the canopy
# before the spring rise (winter crops), the full canopy, share that dries when ripe.
# Calendars of the JRC MARS crop-monitoring bulletins for north-western Europe.
_CROPS = (
    ("wheat", 75, 130, 170, 205, 0.30, 0.93, 0.95),
    ("rapeseed", 65, 110, 160, 195, 0.42, 0.95, 0.80),
    ("barley", 70, 122, 156, 186, 0.28, 0.90, 0.95),
    ("maize", 140, 190, 240, 275, 0.0, 0.92, 0.55),
    ("beet", 135, 185, 280, 312, 0.0, 0.95, 0.10),
    ("potato", 140, 180, 228, 262, 0.0, 0.88, 0.60),
)
_CROP_SHARE = (0.30, 0.08, 0.12, 0.26, 0.13, 0.11)
_RAPESEED = 1
CROPS = tuple(str(row[0]) for row in _CROPS)
"""Names of the crops, in their order."""

_MADE_OF = {
    "crop": ("soil", "crop", 0.035),
    "grass": ("soil", "grass", 0.04),
    "deciduous": ("litter", "deciduous", 0.13),
    "conifer": ("litter", "conifer", 0.15),
    "water": ("water", "grass", 0.04),
    "asphalt": ("asphalt", "grass", 0.10),
    "tile": ("tile", "grass", 0.28),
    "concrete": ("concrete", "grass", 0.16),
    "garden": ("soil", "grass", 0.22),
    "bare": ("sand", "grass", 0.12),
}
"""Land cover: what lies below, what grows on it, relative deviation of its pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Parcels:
    """What differs from parcel to parcel; every array is (parcel,) or (parcel, 10)."""

    cover: NDArray[np.uint8]
    ground: NDArray[np.float32]
    """(parcel, 10), reflectance without green: soil, litter, roof, water."""
    canopy: NDArray[np.float32]
    """(parcel, 10), reflectance of a closed green canopy."""
    delay: Values
    """(parcel,), days later than the mean calendar."""
    vigour: Values
    """(parcel,), about 1."""
    thirst: Values
    """(parcel,), 0..1, how much a dry year shows."""
    catch_crop: Values
    """(parcel,), 0..1, green cover sown after harvest."""
    lot: Values
    """(parcel,), 0..1, a number of its own (mowing, rotation)."""
    roughness: NDArray[np.float32]
    """(parcel,), relative deviation of single pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Reflectance of the parcels on one day."""

    mean: NDArray[np.float32]
    """(parcel, 10)"""
    slope: NDArray[np.float32]
    """(parcel, 10), change per deviation of soil quality inside the parcel."""
    green: NDArray[np.float32]
    """(parcel,), 0..1, share of green canopy."""


def parcels(recipe: Recipe, ground: Landscape) -> Parcels:
    """Draw the properties of all parcels of a landscape."""
    rng = stream(recipe, 2)
    cover = ground.cover
    count = len(cover)
    tint = rng.normal(1, 0.13, count).clip(0.65, 1.4)
    tint[np.isin(cover, (land.TILE, land.CONCRETE))] = rng.uniform(0.65, 1.25)
    red = rng.normal(0, 0.06, (count, 1)) * np.linspace(-1, 1, 10)
    under, over, rough = zip(*(_MADE_OF[name] for name in COVERS), strict=True)
    base = np.array([spectrum(name) for name in under])[cover]
    leaf = np.array([spectrum(name) for name in over])[cover]
    leaf = leaf * (1 + rng.normal(0, 0.07, (count, 1)))
    return Parcels(
        cover=cover,
        ground=(base * tint[:, None] * (1 + red)).astype(np.float32),
        canopy=leaf.astype(np.float32),
        delay=rng.normal(0, 7, count),
        vigour=rng.normal(0.97, 0.06, count).clip(0.7, 1.06),
        thirst=rng.beta(2, 2, count),
        catch_crop=np.where(rng.random(count) < 0.45, rng.uniform(0.3, 0.75, count), 0),
        lot=rng.random(count),
        roughness=np.array(rough, np.float32)[cover],
    )


def surface(recipe: Recipe, these: Parcels, day: date) -> Surface:
    """All parcels on `day`: soil, green, dry and flowering parts mixed by area."""
    year = _year(recipe, day.year)
    of_year = day.timetuple().tm_yday
    crop = _crop_parts(recipe, these, day.year, of_year)
    doy = of_year - year.delay
    green = np.select(
        [
            these.cover == land.CROP,
            np.isin(these.cover, (land.GRASS, land.GARDEN)),
            these.cover == land.DECIDUOUS,
            these.cover == land.CONIFER,
        ],
        [crop.green, _grass(these, doy), _leaves(these, doy), 0.86 * these.vigour],
        0.0,
    )
    shortage = these.thirst * _bump(doy, 165, 205, 235, 275) * year.drought
    wilted = np.where(these.cover == land.CONIFER, 0.15, 0.75) * shortage * green
    wilted[these.cover == land.DECIDUOUS] *= 0.35
    green = (green - wilted).clip(0, 1)
    dry = np.where(these.cover == land.CROP, crop.dry, 0.0) + wilted
    dry = np.minimum(dry, 1 - green)
    yellow = np.where(these.cover == land.CROP, crop.yellow, 0.0) * green
    rain = _moisture(recipe, day) * ~np.isin(these.cover, (land.WATER, land.CONCRETE))
    wet = 1 - rain[:, None] * (1 - np.array(WETNESS))
    soil = these.ground * wet
    rest = (1 - green - dry)[:, None]
    flower = spectrum("yellow") - these.canopy
    mean = soil * rest + these.canopy * green[:, None] + flower * yellow[:, None]
    mean += spectrum("dry") * dry[:, None]
    partial = np.minimum(green, 1 - green) + 0.12 * (green > 0)
    slope = (these.canopy - soil) * (0.22 * partial)[:, None] - soil * 0.06 * rest
    return Surface(
        mean.astype(np.float32), slope.astype(np.float32), green.astype(np.float32)
    )


@dataclass(frozen=True, slots=True)
class _Year:
    delay: float
    drought: float


def _year(recipe: Recipe, year: int) -> _Year:
    """Weather of a year: an early or late spring, and sometimes a drought."""
    rng = stream(recipe, 3, year)
    dry = rng.random() < 0.35
    return _Year(
        delay=float(rng.normal(0, 5)),
        drought=float(rng.uniform(0.6, 1.0) if dry else rng.uniform(0.0, 0.2)),
    )


def _moisture(recipe: Recipe, day: date) -> float:
    """0 (dry) to 1 (rain yesterday), one number per day over the whole scene."""
    return float(
        stream(recipe, 4, (day - date(1970, 1, 1)).days).beta(0.8, 1.6)
        * (0.6 if 120 < day.timetuple().tm_yday < 270 else 1.0)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    green: Values
    dry: Values
    yellow: Values


def _crop_parts(recipe: Recipe, these: Parcels, year: int, doy: float) -> _Parts:
    """This year's crops, what last year's left, and the winter crops of the next."""
    past = _season(recipe, these, year - 1, doy + 365)
    now = _season(recipe, these, year, doy)
    ahead = _season(recipe, these, year + 1, doy - 365)
    green = np.max([past.green, now.green, ahead.green], axis=0)
    dry = np.minimum(np.maximum(past.dry, now.dry), 1 - green)
    return _Parts(green, dry, now.yellow)


def sown(recipe: Recipe, count: int, year: int) -> NDArray[np.int64]:
    """(count,), index into `CROPS` of what each parcel has in that harvest, if it is a field."""
    return _sown(stream(recipe, 5, year), count)


def _sown(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    return rng.choice(len(_CROPS), count, p=_CROP_SHARE)


def _season(recipe: Recipe, these: Parcels, year: int, doy: float) -> _Parts:
    rng = stream(recipe, 5, year)
    crop = _sown(rng, len(these.cover))
    table = np.array([row[1:] for row in _CROPS])[crop].T
    emerged, closed, ripe, harvest, winter, full, dries = table
    late = these.delay + rng.normal(0, 4, len(crop)) + _year(recipe, year).delay
    at = doy - late
    rise = _smooth((at - emerged) / (closed - emerged))
    sown = winter * _smooth((at + 75) / 45)
    green = (sown + (full - sown) * rise) * these.vigour
    ripening = _smooth((at - ripe) / (harvest - ripe))
    dry = dries * ripening * green
    green = green * (1 - 0.92 * dries * ripening)
    cut = at >= harvest
    stubble = 0.55 * (1 - _smooth((at - harvest) / (25 + 90 * these.lot)))
    after = these.catch_crop * _smooth((at - harvest - 25) / 40)
    after = after * (harvest < 230) * (1 - _smooth((at - 335) / 60))
    after = np.where(at < 400, after, 0)
    yellow = 0.75 * (crop == _RAPESEED) * _bump(at, 108, 116, 128, 140)
    return _Parts(
        green=np.where(cut, after, green),
        dry=np.where(cut, np.minimum(stubble, 1 - after), dry),
        yellow=np.where(cut, 0, yellow),
    )


def _grass(these: Parcels, doy: float) -> Values:
    """Meadows are green all year, less in winter, and mown two to four times."""
    summer = _bump(doy - 0.5 * these.delay, 50, 115, 260, 345)
    green = (0.52 + 0.33 * summer) * these.vigour
    for number in range(4):
        cut = 140 + 20 * these.lot + 43 * number + these.delay
        mown = these.lot * 4.3 > number + 0.6 * (these.cover == land.GARDEN)
        since = doy - cut
        lost = 0.45 * np.exp(-np.maximum(since, 0) / 16) * (since >= 0) * mown
        green = green * (1 - lost)
    return green


def _leaves(these: Parcels, doy: float) -> Values:
    """Broad-leaved trees: out in late April, off by November."""
    return (0.12 + 0.8 * _bump(doy - 0.6 * these.delay, 98, 128, 278, 318)) * (
        these.vigour
    )


def _smooth(t: Values) -> Values:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _bump(
    at: Values | float, rise: float, high: float, fall: float, low: float
) -> Values:
    """0, then up between `rise` and `high`, and down again between `fall` and `low`."""
    at = np.asarray(at, np.float64)
    return _smooth((at - rise) / (high - rise)) * (
        1 - _smooth((at - fall) / (low - fall))
    )


def weeds(day: date, since: date) -> float:
    """0..1, green share of ground laid bare on `since`: seasonal, more every year."""
    years = (day - since) / timedelta(days=365)
    summer = float(_bump(float(day.timetuple().tm_yday), 85, 140, 250, 310))
    return min(0.6, 0.28 * years) * (0.25 + 0.75 * summer) if years > 0 else 0.0
