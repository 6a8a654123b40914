"""What an event leaves on the ground, and what people build meanwhile (pure)."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.simulate import footprints
from terradrift.ingest.simulate import landscape as land
from terradrift.ingest.simulate.changes import KINDS, Change
from terradrift.ingest.simulate.events_plan import WHOLE
from terradrift.ingest.simulate.landscape import Landscape
from terradrift.ingest.simulate.noise import curve, fractal
from terradrift.ingest.simulate.spectra import spectrum

_BUILT = (land.TILE, land.CONCRETE, land.GARDEN, land.ASPHALT)
_GREEN = (land.CROP, land.GRASS, land.DECIDUOUS, land.CONIFER)
_TRIES = 40
_ROAD_M = 7.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scar(Change):
    """Ground that turned into a material on a day and stays."""

    material: str

    def strength(self, day: date) -> float:
        """1 from its day on."""
        return float(day >= self.onset)

    def target(self, day: date) -> NDArray[np.float64]:  # noqa: ARG002 - it never ages
        """(10,) reflectance of the material."""
        return spectrum(self.material)


@dataclass(frozen=True, slots=True)
class _Look:
    """How events of one class look."""

    outline: str
    """A shape of `footprints`."""
    base: str
    spots: str
    """Material of irregular pieces in it."""
    covers: tuple[int, ...]
    """Where it happens."""


_LOOKS = {
    1: _Look("blot", "char", "concrete", (*_BUILT, *_GREEN)),
    2: _Look("rectangle", "soil", "concrete", _BUILT),
    3: _Look("landslide", "sand", "soil", _GREEN),
    4: _Look("fire", "char", "litter", _GREEN),
    5: _Look("flood", "mud", "turbid", (land.WATER, *_GREEN)),
    6: _Look("rectangle", "sand", "paved", _GREEN),
}
_WATER_NEEDS = 5


def event(
    ground: Landscape,
    rng: np.random.Generator,
    *,
    kind: int,
    share: float,
    day: date,
    inside: tuple[int, int],
) -> tuple[list[Change], NDArray[np.uint8]]:
    """An event of class `kind` over about `share` of the image; scars, and its label (y, x).

    `inside` is the height and width of the image, the upper left part of the ground. The
    label is kind + 1, for 1 means background.
    """
    look = _LOOKS[kind]
    size = len(ground.labels)
    mask = (
        _all_over(rng, size)
        if share >= WHOLE
        else _placed(ground, rng, look, share, inside)
    )
    mottled = fractal(rng, size, 6.0, 2.0) > 0.6
    spots = (ndimage.gaussian_filter(mottled.astype(np.float32), 0.6) * mask).astype(
        np.float32
    )
    scars: list[Change] = [
        scar(mask, look.base, day, 1),
        scar(spots, look.spots, day, 2),
    ]
    return scars, np.where(mask >= 0.5, np.uint8(kind + 1), np.uint8(0))


def road(ground: Landscape, rng: np.random.Generator, day: date, gsd: float) -> Change:
    """A new road from one side of the image to the other."""
    size = len(ground.labels)
    middle = size * rng.uniform(0.15, 0.85) + curve(rng, size, size / 3) * size * 0.06
    across = np.abs(np.arange(size)[:, None] - middle[None, :])
    mask = np.clip(_ROAD_M / gsd / 2 - across + 0.5, 0, 1).astype(np.float32)
    mask = mask if rng.random() < 0.5 else mask.T
    mask = np.where(ground.pixels(land.WATER), np.float32(0), mask)
    return scar(mask, "paved", day, 3)


def hall(
    ground: Landscape,
    rng: np.random.Generator,
    day: date,
    gsd: float,
    inside: tuple[int, int],
) -> Change:
    """A new large building, with its yard."""
    y, x = _spot(ground, rng, _GREEN, inside)
    shape = footprints.draw(
        "construction", ground, rng, y=y, x=x, width=rng.uniform(25, 45) / gsd
    )
    mask = np.zeros(ground.labels.shape, np.float32)
    mask[shape.window] = shape.mask
    return scar(mask, ("paved", "concrete", "tile")[rng.integers(3)], day, 4)


def scar(mask: NDArray[np.float32], material: str, day: date, number: int) -> Scar:
    """A scar over all of the ground (y, x)."""
    return Scar(
        number=number,
        kind=KINDS[0],
        onset=day,
        lasts_days=1,
        top=0,
        left=0,
        mask=mask,
        material=material,
    )


def _placed(
    ground: Landscape,
    rng: np.random.Generator,
    look: _Look,
    share: float,
    inside: tuple[int, int],
) -> NDArray[np.float32]:
    """The try whose area inside the image comes nearest to `share` of it."""
    height, width = inside
    wanted = share * height * width
    best = np.zeros(ground.labels.shape, np.float32)
    for attempt in range(_TRIES):
        y, x = _spot(ground, rng, look.covers, inside)
        across = np.sqrt(wanted) * rng.uniform(0.9, 1.5)
        if look.outline == "landslide":
            across *= 0.62
        if look.outline == "rectangle":
            mask = _rectangle(ground, rng, y, x, across)
        else:
            outline = "flood" if look.outline == "flood" else look.outline
            shape = footprints.draw(
                outline,
                ground,
                rng,
                y=y,
                x=x,
                width=across * (1.6 if outline == "flood" else 1.1),
            )
            mask = np.zeros(ground.labels.shape, np.float32)
            mask[shape.window] = shape.mask
        mask[height:] = 0
        mask[:, width:] = 0
        if abs(float(mask.sum()) - wanted) < abs(float(best.sum()) - wanted):
            best = mask
        if attempt >= 5 and 0.7 * wanted < best.sum() < 1.4 * wanted:
            break
    return best


def _spot(
    ground: Landscape,
    rng: np.random.Generator,
    covers: tuple[int, ...],
    inside: tuple[int, int],
) -> tuple[int, int]:
    height, width = inside
    allowed = ground.pixels(*covers)[:height, :width]
    spots = np.flatnonzero(allowed)
    if len(spots) == 0:
        spots = np.arange(height * width)
    y, x = divmod(int(rng.choice(spots)), width)
    return y, x


def _rectangle(
    ground: Landscape, rng: np.random.Generator, y: int, x: int, across: float
) -> NDArray[np.float32]:
    rows, cols = np.mgrid[: len(ground.labels), : len(ground.labels)].astype(np.float32)
    angle, aspect = rng.uniform(0, np.pi), rng.uniform(1.0, 1.8)
    along = (cols - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    beside = (rows - y) * np.cos(angle) - (cols - x) * np.sin(angle)
    half = across / 2
    root = np.sqrt(aspect)
    far = np.minimum(half * root - np.abs(along), half / root - np.abs(beside))
    mask: NDArray[np.float32] = np.clip(far + 0.5, 0, 1).astype(np.float32)
    return mask


def _all_over(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """All but ragged remains."""
    field = fractal(rng, size, size / 3, 3.4)
    edge = np.float32(np.quantile(field, 1 - WHOLE - 0.01))
    mask: NDArray[np.float32] = np.clip((field - edge) * 4 + np.float32(0.5), 0, 1)
    return mask
