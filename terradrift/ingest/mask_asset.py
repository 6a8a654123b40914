"""Which asset of an item is its mask, and of what kind (pure)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from terradrift.errors import SourceError
from terradrift.ingest.assets import (
    Band,
    Json,
    is_raster,
    number_of,
    pixel_size,
    rank,
)
from terradrift.ingest.bands import SENTINEL2

_SCL = re.compile(r"scl([-_]\d+m)?(-jp2)?$", re.IGNORECASE)
_QA = re.compile(r"(qa_pixel|pixel_qa|qa)$", re.IGNORECASE)
_HEAT = re.compile(r"st_qa[^/]*$", re.IGNORECASE)


def find_mask(
    want: str,
    assets: Mapping[str, Json],
    bands: Sequence[Band],
    properties: Json,
    sensor: str,
) -> Band | None:
    """The mask as a band named `mask:scl`, `mask:qa_pixel` or `mask:named`.

    `want` is `auto`, `none` or an asset's key. `auto` takes Sentinel-2's SCL, else
    Landsat's QA, else nothing. The `qa` that many Landsat catalogues carry beside
    `qa_pixel` is the uncertainty of the temperature (ST_QA) and no mask.

    Raises:
        SourceError: the named asset is not there.
    """
    if want == "none":
        return None
    if want != "auto":
        if want not in assets:
            raise SourceError(
                f"expected a mask asset {want!r}, got assets {', '.join(sorted(assets))}; "
                "pass --mask with one of them, or --mask none"
            )
        kind = mask_kind(want, sensor) or "mask:named"
        return _mask(kind, want, assets[want], properties)
    inside = [(band, mask_kind(band.label, sensor)) for band in bands]
    found = [replace(band, name=kind) for band, kind in inside if kind]
    found += [
        _mask(keyed, key, asset, properties)
        for key, asset in assets.items()
        if is_raster(asset)
        and (keyed := mask_kind(key, sensor))
        and not _HEAT.search(asset["href"])
    ]
    return min(
        found,
        key=lambda band: (_preference(band), *rank(band, assets)),
        default=None,
    )


def mask_kind(key: str, sensor: str) -> str | None:
    """What mask an asset's or band's name says it is, or None.

    `qa_pixel` stands for both Landsat collections: their values tell them apart.
    """
    classified = key.lower() == "classification" and sensor == SENTINEL2
    if _SCL.match(key) or classified:
        return "mask:scl"
    return "mask:qa_pixel" if _QA.match(key) else None


def _preference(band: Band) -> tuple[bool, bool]:
    """Sentinel-2's SCL first, a bare `qa` last."""
    return band.name != "mask:scl", band.label.lower() == "qa"


def _mask(kind: str, key: str, asset: Json, properties: Json) -> Band:
    entries = asset.get("raster:bands") or asset.get("bands") or [{}]
    said = {**entries[0], **{k: v for k, v in asset.items() if k == "nodata"}}
    return Band(
        name=kind,
        label=key,
        asset=key,
        index=1,
        nodata=number_of(said.get("nodata")),
        pixel=pixel_size(asset, properties),
    )
