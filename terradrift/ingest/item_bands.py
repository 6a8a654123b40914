"""The bands of an item that are to be read, with what metadata and files say of them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pystac

from terradrift.chip import BANDS
from terradrift.errors import SourceError
from terradrift.ingest import assets as found
from terradrift.ingest.assets import Band, Json
from terradrift.ingest.bands import SENTINEL2, number
from terradrift.ingest.filters import Options
from terradrift.ingest.header import Header, is_remote, read_header
from terradrift.ingest.mask_asset import find_mask, mask_kind
from terradrift.ingest.stated import sensor_of
from terradrift.ingest.valid import check_asset


def bands_of(
    item: pystac.Item, assets: Mapping[str, Json], options: Options
) -> tuple[str, list[Band], Band | None]:
    """Sensor, bands in order of wavelength, and mask of an item.

    Raises:
        SourceError: no bands, not those asked for, or their files are not there.
    """
    family, bands = _recognised(assets, item)
    mask = find_mask(options.mask, assets, bands, item.properties, family)
    wanted = _wanted(bands, assets, options)
    for band in (*wanted, *([mask] if mask else [])):
        _exists(assets[band.asset]["href"], band)
    return family, [_completed(band, assets, family) for band in wanted], mask


def absolute_assets(item: pystac.Item) -> dict[str, Json]:
    """Assets by key as plain metadata; `href` an absolute path or a URL.

    An absolute path that is a file here is that file, also where an API states it: servers
    on the same machine do, and against the server's URL it would lead nowhere.

    Raises:
        SourceError: a field that is not as in STAC.
    """
    plain = {key: asset.to_dict() for key, asset in item.assets.items()}
    for key, asset in plain.items():
        check_asset(key, asset)
    return {
        key: {**asset, "href": _absolute(item.assets[key])}
        for key, asset in plain.items()
    }


def _absolute(asset: pystac.Asset) -> str:
    href = asset.href
    if not (href.startswith("/") and Path(href).is_file()):
        href = asset.get_absolute_href() or href
    if href.startswith("file://"):
        href = unquote(urlparse(href).path)
    return href if is_remote(href) else str(Path(href).absolute())


def _recognised(
    assets: Mapping[str, Json], item: pystac.Item
) -> tuple[str, list[Band]]:
    """The sensor and its bands; who has a B8A is Sentinel-2, whatever is not stated."""
    family = sensor_of(item)
    bands = _find(assets, item.properties, family)
    if not family and any(number(band.label) == "8A" for band in bands):
        return SENTINEL2, _find(assets, item.properties, SENTINEL2)
    return family, bands


def _find(assets: Mapping[str, Json], properties: Json, family: str) -> list[Band]:
    """All bands of the image assets, from metadata, else from the files' descriptions."""
    images = {key: asset for key, asset in assets.items() if found.is_image(key, asset)}
    bands = [
        band
        for key, asset in images.items()
        for band in found.described(key, asset, properties, family)
    ]
    if bands:
        return bands
    for key, asset in images.items():
        names = read_header(asset["href"]).names
        bands += found.from_names(key, asset, names, properties, family)
    return bands


def _wanted(
    bands: list[Band], assets: Mapping[str, Json], options: Options
) -> list[Band]:
    spectral = [band for band in bands if not mask_kind(band.label, "")]
    chosen = found.choose(spectral, assets)
    if options.bands is not None:
        lacking = set(options.bands) - {band.name for band in chosen}
        if lacking:
            raise SourceError(
                f"expected bands {', '.join(options.bands)}, "
                f"got {', '.join(band.name for band in chosen) or 'none'}"
            )
        chosen = [band for band in chosen if band.name in options.bands]
    if not chosen:
        raise SourceError(
            "expected an asset with named bands (eo:bands, bands or band descriptions), "
            f"got assets {', '.join(sorted(assets)) or 'none'}; for a folder with a file per "
            "band pass --pattern with {band}"
        )
    order = list(BANDS)
    known = [band for band in chosen if band.name in BANDS]
    rest = [band for band in chosen if band.name not in BANDS]
    return [*sorted(known, key=lambda band: order.index(band.name)), *rest]


def _exists(href: str, band: Band) -> None:
    if not is_remote(href) and not Path(href).is_file():
        raise SourceError(f"asset {band.asset}: expected a file at {href}, got none")


def _completed(band: Band, assets: Mapping[str, Json], family: str) -> Band:
    """The band with what its local file says, where the metadata are silent.

    Digital number 0 is no data in every Sentinel-2 product; not all files say so
    (microsoft/PlanetaryComputer#460).
    """
    href = assets[band.asset]["href"]
    unscaled = band.scale is None and band.offset is None
    if not is_remote(href) and (unscaled or band.nodata is None):
        band = _with_header(band, read_header(href), href)
    whole = not (band.data_type or "").startswith("float")
    if band.nodata is None and family == SENTINEL2 and whole:
        return replace(band, nodata=0.0)
    return band


def _with_header(band: Band, header: Header, href: str) -> Band:
    if band.index > len(header.names):
        raise SourceError(
            f"asset {band.asset}: expected band {band.index} ({band.label}), "
            f"got a file of {len(header.names)} bands at {href}"
        )
    position = band.index - 1
    said: dict[str, Any] = {}
    if band.data_type is None:
        said["data_type"] = header.dtypes[position]
    if band.nodata is None:
        said["nodata"] = header.nodata
    scale, offset = header.scales[position], header.offsets[position]
    unscaled = band.scale is None and band.offset is None
    if unscaled and (scale, offset) != (1.0, 0.0):  # which a silent file gives too
        said |= {"scale": scale, "offset": offset}
    return replace(band, **said)
