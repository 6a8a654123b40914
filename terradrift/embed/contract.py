"""What a model asks of images, held against what they are (pure).

One place for all of it: the archive asks before anything is read, the runner of every image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from terradrift.chip import TileImage
    from terradrift.embed.protocol import ModelCard

_GSD_OFF = 0.1
"""Part of the model's pixel size that images may be off by."""
_BRIGHTEST = 10.0
"""Reflectance that no landscape has as its median; digital numbers are thousands."""
_STEP = 7
"""One pixel in so many, down and across, tells reflectance from digital numbers."""
_THERMAL = "lwir"
"""How the bands begin that hold temperature, not reflectance."""
_OWN_BANDS = {"sentinel-2": {"rededge071", "rededge075", "rededge078"}}
"""Bands that together only one sensor has: they tell it where nothing else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is known of where images come from; None, of any: not looked at."""

    level: str | None = None
    """Processing level; empty where it is unknown."""
    gsd: float | None = None
    """Metres per pixel of the images, whatever they were resampled from."""
    scene_gsd: float | None = None
    """Metres per pixel of the scenes themselves, of the coarsest."""
    sensor: str | None = None
    """Constellation; empty where it is unknown."""


def sensor_of(constellation: str | None, bands: Collection[str]) -> str:
    """The sensor of scenes that state this constellation, or none, and have these bands.

    Empty where neither tells: three bands of the red edge are Sentinel-2's alone, but those
    of other models (red, green, blue) are anyone's.
    """
    if constellation:
        return constellation
    for sensor, own in _OWN_BANDS.items():
        if own <= set(bands):
            return sensor
    return ""


def missing_bands(card: ModelCard, bands: tuple[str, ...]) -> tuple[str, ...]:
    """Bands of the card that `bands` lacks and the card can go without.

    Raises:
        ValueError: the card refuses to go without them.
    """
    absent = tuple(band for band in card.bands if band not in bands)
    needed = absent
    if card.missing != "refuse" and len(absent) < len(card.bands):
        optional = card.optional or card.bands
        needed = tuple(band for band in absent if band not in optional)
    if needed:
        raise ValueError(
            f"model {card.name} needs bands {', '.join(card.bands)}; the images lack "
            f"{', '.join(needed)} (they have {', '.join(bands)}); "
            "read these bands too, or choose another model"
        )
    return absent


def mismatches(card: ModelCard, origin: Origin) -> tuple[str, ...]:
    """How images differ from those the model was made for, in words; often none.

    Scenes finer than the model's pixels, resampled to them, fit; coarser ones do not.
    """
    found = []
    level, gsd, scene_gsd = origin.level, origin.gsd, origin.scene_gsd
    if origin.sensor is not None and card.sensor not in ("any", origin.sensor):
        found.append(
            f"made for {card.sensor}, given {origin.sensor or 'an unknown sensor'}"
        )
    if level is not None and card.level not in ("any", level):
        found.append(f"made for {card.level}, given {level or 'an unknown level'}")
    if (
        gsd is not None
        and card.gsd is not None
        and abs(gsd / card.gsd - 1) > _GSD_OFF + 1e-9
    ):
        found.append(f"made for {card.gsd:g} m per pixel, given {gsd:g} m")
    if (
        scene_gsd is not None
        and card.gsd is not None
        and scene_gsd != gsd
        and scene_gsd / card.gsd - 1 > _GSD_OFF + 1e-9
    ):
        found.append(
            f"made for {card.gsd:g} m per pixel, given scenes of {scene_gsd:.3g} m"
        )
    return tuple(found)


def check(
    card: ModelCard,
    *,
    bands: tuple[str, ...],
    origin: Origin,
    allow_mismatch: bool = False,
) -> None:
    """Refuse images that the model was not made for.

    Raises:
        ValueError: bands are missing that the card needs; or sensor, level or resolution
            differ and `allow_mismatch` is not set.
    """
    missing_bands(card, bands)
    found = mismatches(card, origin)
    if found and not allow_mismatch:
        told = card.level == "any" or origin.level != ""
        say = (
            "" if told else "say which it is by --level L1C|L2A (ingest or run again), "
        )
        raise ValueError(
            f"model {card.name} does not fit these images: {'; '.join(found)}; {say}choose "
            "another model or other scenes, or pass --allow-mismatch to embed all the same "
            "(recorded with the vectors)"
        )


def preprocessing(
    card: ModelCard, bands: tuple[str, ...], origin: Origin | None = None
) -> str:
    """The line of the card, and what was done beside it for images such as these.

    Raises:
        ValueError: the card refuses to go without the bands that are missing.
    """
    parts = [card.preprocessing]
    absent = missing_bands(card, bands)
    if absent:
        done = "left out" if card.missing == "drop" else "zero"
        parts.append(f"bands not there, {done}: {', '.join(absent)}")
    return "; ".join([*parts, *mismatches(card, origin or Origin())])


def sampled(image: TileImage) -> NDArray[np.float32]:
    """(band, y, x) some pixels of the bands that hold reflectance, NaN where not clear."""
    slots = [
        slot for slot, band in enumerate(image.bands) if not band.startswith(_THERMAL)
    ]
    found: NDArray[np.float32] = image.pixels[:, ::_STEP, ::_STEP][slots]
    return found


def check_reflectance(image: TileImage) -> None:
    """Refuse pixels that are plainly no reflectance, such as digital numbers.

    Raises:
        ValueError: half of the clear pixels or more are above 10.
    """
    seen = sampled(image)
    seen = seen[np.isfinite(seen)]
    middle = float(np.median(seen)) if seen.size else 0.0
    if middle > _BRIGHTEST:
        raise ValueError(
            f"expected reflectance of 0 to 1 or so, got pixels of {middle:g} and more in "
            f"tile {image.tile}: digital numbers, or a wrong scale; give the scale and "
            "offset of the scenes when they are ingested"
        )
