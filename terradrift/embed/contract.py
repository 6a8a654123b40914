"""What a model asks of images, held against what they are (pure).

One place for all of it: the archive asks before anything is read, the runner of every image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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


def mismatches(
    card: ModelCard, *, level: str | None, gsd: float | None
) -> tuple[str, ...]:
    """How images differ from those the model was made for, in words; often none.

    `level` is empty where it is unknown. None, of either: not looked at.
    """
    found = []
    if level is not None and card.level not in ("any", level):
        found.append(f"made for {card.level}, given {level or 'an unknown level'}")
    if (
        gsd is not None
        and card.gsd is not None
        and abs(gsd / card.gsd - 1) > _GSD_OFF + 1e-9
    ):
        found.append(f"made for {card.gsd:g} m per pixel, given {gsd:g} m")
    return tuple(found)


def check(
    card: ModelCard,
    *,
    bands: tuple[str, ...],
    level: str,
    gsd: float,
    allow_mismatch: bool = False,
) -> None:
    """Refuse images that the model was not made for.

    `level` is that of the images, empty where unknown; `gsd` their metres per pixel.

    Raises:
        ValueError: bands are missing that the card needs; or level or resolution differ and
            `allow_mismatch` is not set.
    """
    missing_bands(card, bands)
    found = mismatches(card, level=level, gsd=gsd)
    if found and not allow_mismatch:
        raise ValueError(
            f"model {card.name} does not fit these images: {'; '.join(found)}; choose "
            "another model or other scenes, or pass --allow-mismatch to embed all the same "
            "(recorded with the vectors)"
        )


def preprocessing(
    card: ModelCard,
    bands: tuple[str, ...],
    *,
    level: str | None = None,
    gsd: float | None = None,
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
    return "; ".join([*parts, *mismatches(card, level=level, gsd=gsd)])


def check_reflectance(image: TileImage) -> None:
    """Refuse pixels that are plainly no reflectance, such as digital numbers.

    Raises:
        ValueError: half of the clear pixels or more are above 10.
    """
    slots = [
        slot for slot, band in enumerate(image.bands) if not band.startswith(_THERMAL)
    ]
    seen = image.pixels[:, ::_STEP, ::_STEP][slots]
    seen = seen[np.isfinite(seen)]
    middle = float(np.median(seen)) if seen.size else 0.0
    if middle > _BRIGHTEST:
        raise ValueError(
            f"expected reflectance of 0 to 1 or so, got pixels of {middle:g} and more in "
            f"tile {image.tile}: digital numbers, or a wrong scale; give the scale and "
            "offset of the scenes when they are ingested"
        )
