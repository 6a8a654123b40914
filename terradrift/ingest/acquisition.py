"""One scene as the reader needs it: which file and band gives what, and how (pure)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Asset:
    """One band of one file; reflectance = digital number * scale + offset."""

    band: str
    href: str
    index: int
    scale: float
    offset: float
    nodata: float | None
    """Digital number that means nothing was seen; None: whatever the file itself says."""
    wavelength: float
    """um, NaN where unknown."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The wanted bands of one scene, in the wanted order, and its mask."""

    scene_id: str
    time: np.datetime64
    """UTC, us."""
    crs: str
    """As the scene's metadata say; empty where they do not."""
    level: str
    bands: tuple[Asset, ...]
    missing: tuple[str, ...]
    """Wanted bands that the scene does not have."""
    mask: Asset | None
    boa_offset: float | None
    """What is added to digital numbers before scaling; it is part of each band's offset."""
    boa_offset_source: str


def acquisition(row: Mapping[str, Any], bands: Sequence[str]) -> Acquisition:
    """The part of a row of `schema.scenes()` that reading `bands` needs."""
    assets = {asset["band"]: _asset(asset) for asset in row["assets"] or ()}
    masks = [asset for name, asset in assets.items() if name.startswith("mask:")]
    return Acquisition(
        scene_id=row["scene_id"],
        time=np.datetime64(row["datetime"].replace(tzinfo=None), "us"),
        crs=row["crs"] or "",
        level=row["processing_level"] or "",
        bands=tuple(assets[band] for band in bands if band in assets),
        missing=tuple(band for band in bands if band not in assets),
        mask=masks[0] if masks else None,
        boa_offset=row["boa_offset"],
        boa_offset_source=row["boa_offset_source"] or "",
    )


def _asset(row: Mapping[str, Any]) -> Asset:
    def number(name: str, default: float) -> float:
        return default if row[name] is None else float(row[name])

    return Asset(
        band=row["band"],
        href=row["href"],
        index=row["index"] or 1,
        scale=number("scale", 1.0),
        offset=number("offset", 0.0),
        nodata=row["nodata"],
        wavelength=number("wavelength", math.nan),
    )
