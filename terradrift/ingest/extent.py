"""How much a scene's pixels weigh, as its metadata tell (pure)."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyproj

from terradrift.ingest.acquisition import Acquisition, Asset
from terradrift.ingest.outline import asset_metadata

_METRES_PER_DEGREE = 111_320.0
_USUAL = {"mask:scl": np.dtype("u1"), "mask:named": np.dtype("u1")}
_USUAL_BAND = np.dtype("u2")
_USUAL_GSD = 10.0


def bytes_per_square_metre(row: Mapping[str, Any], scene: Acquisition) -> float:
    """Decoded bytes of the scene's wanted bands and mask per square metre of ground.

    Data type and pixel size come from the item (`raster:bands`, `bands`, `proj:transform`);
    where it is silent: two bytes per pixel, one for a mask, at the scene's gsd.
    """
    item = json.loads(row["stac_item"]) if row["stac_item"] else {}
    assets = [*scene.bands, *([scene.mask] if scene.mask else [])]
    return sum(_weight(asset, item, row) for asset in assets)


def _weight(asset: Asset, item: Mapping[str, Any], row: Mapping[str, Any]) -> float:
    said = asset_metadata(item, asset.href)
    entries = list(_band_entries(said, asset.index))
    names = [entry["data_type"] for entry in entries if entry.get("data_type")]
    kind = _dtype(names[0]) if names else _USUAL.get(asset.band, _USUAL_BAND)
    return kind.itemsize / _pixel_area(said, entries, item, row)


def _band_entries(said: Mapping[str, Any], index: int) -> Iterator[Mapping[str, Any]]:
    for name in ("bands", "raster:bands"):
        listed = said.get(name) or []
        if len(listed) >= index:
            yield listed[index - 1]
    yield said


def _dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError:
        return _USUAL_BAND


def _pixel_area(
    said: Mapping[str, Any],
    entries: list[Mapping[str, Any]],
    item: Mapping[str, Any],
    row: Mapping[str, Any],
) -> float:
    """Square metres of one pixel of an asset."""
    for name in ("raster:spatial_resolution", "spatial_resolution"):
        for entry in entries:
            if entry.get(name):
                return float(entry[name]) ** 2
    for holder in (said, item.get("properties", {})):
        transform = holder.get("proj:transform")
        if transform:
            a, b, _, d, e, _ = transform[:6]
            return max(float(abs(a * e - b * d)) * _square_metres(row), 1e-6)
    return float(said.get("gsd") or row["gsd"] or _USUAL_GSD) ** 2


def _square_metres(row: Mapping[str, Any]) -> float:
    """Square metres in one square unit of the scene's CRS."""
    if not row["crs"] or not pyproj.CRS.from_user_input(row["crs"]).is_geographic:
        return 1.0
    box = row["bbox"]
    latitude = (box["ymin"] + box["ymax"]) / 2 if box else 0.0
    return _METRES_PER_DEGREE**2 * max(math.cos(math.radians(latitude)), 0.01)
