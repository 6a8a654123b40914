"""One item to one row of `scenes`: layout on the ground, bands, masks, reflectance."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pystac
import shapely

from terradrift.chip import BANDS
from terradrift.errors import HarmonisationError, SourceError
from terradrift.ingest import assets as found
from terradrift.ingest.assets import Band, Json
from terradrift.ingest.bands import LANDSAT, SENTINEL2, number
from terradrift.ingest.filters import Options, cloud_percent, instant
from terradrift.ingest.footprint import bounds, footprint, pixel_metres
from terradrift.ingest.header import Header, is_remote, read_header
from terradrift.ingest.layout import Layout, check_place, layout_of
from terradrift.ingest.mask_asset import find_mask, mask_kind
from terradrift.ingest.reflectance import Reflectance, Statement, harmonise
from terradrift.ingest.stated import (
    PROBLEM,
    baseline_of,
    level_of,
    offset_applied,
    sensor_of,
)

Row = dict[str, Any]

_THERMAL = ("lwir", "lwir11", "lwir12")


def row(item: pystac.Item, options: Options, run_id: str) -> Row:
    """The row of `scenes` that `item` gives.

    Headers of local files are read; of remote ones only where the item leaves out CRS,
    transform or shape.

    Raises:
        HarmonisationError: digital numbers cannot be turned into reflectance safely.
        SourceError: the scene cannot be used, and why.
    """
    if PROBLEM in item.properties:
        raise SourceError(item.properties[PROBLEM])
    assets = absolute_assets(item)
    family, bands = _recognised(assets, item)
    mask = find_mask(options.mask, assets, bands, item.properties, family)
    wanted = _wanted(bands, assets, options)
    for band in (*wanted, *([mask] if mask else [])):
        _exists(assets[band.asset]["href"], band)
    spectral = [_completed(band, assets, family) for band in wanted]
    finest = assets[min(spectral, key=lambda band: band.pixel).asset]
    layout = layout_of(finest, item)
    decided = [_reflectance(item, band, family, options) for band in spectral]
    boa_offset, source = _agreed(item, spectral, decided)
    rows = [
        _asset(band, assets, change.scale, change.offset)
        for band, change in zip(spectral, decided, strict=True)
    ]
    if mask is not None:
        rows.append(_asset(mask, assets, None, None))
    return {
        **_said(item, family, options),
        **_placed(item, layout, finest),
        "boa_offset": boa_offset,
        "boa_offset_source": source,
        "bands": [band.name for band in spectral],
        "assets": rows,
        "stac_item": stac_json(item, assets, layout),
        "run_id": run_id,
    }


def _said(item: pystac.Item, family: str, options: Options) -> Row:
    """The columns that repeat what the item states."""
    return {
        "scene_id": item.id,
        "datetime": instant(item),
        "collection": item.collection_id,
        "constellation": _constellation(item, family),
        "platform": item.properties.get("platform"),
        "processing_level": level_of(item) or options.level,
        "processing_baseline": baseline_of(item) if family == SENTINEL2 else None,
        "cloud_percent": cloud_percent(item),
    }


def _placed(item: pystac.Item, layout: Layout, finest: Json) -> Row:
    """The columns that say where the scene's raster lies."""
    outline = footprint(layout.crs, layout.transform, layout.shape)
    check_place(outline, item)
    gsd = found.number_of(finest.get("gsd") or item.properties.get("gsd"))
    return {
        "gsd": pixel_metres(layout.crs, layout.transform, gsd),
        "crs": layout.crs,
        "bbox": bounds(outline),
        "geometry": shapely.to_wkb(outline),
    }


def _recognised(
    assets: Mapping[str, Json], item: pystac.Item
) -> tuple[str, list[Band]]:
    """The sensor and its bands; who has a B8A is Sentinel-2, whatever is not stated."""
    family = sensor_of(item)
    bands = find_bands(assets, item.properties, family)
    if not family and any(number(band.label) == "8A" for band in bands):
        return SENTINEL2, find_bands(assets, item.properties, SENTINEL2)
    return family, bands


def absolute_assets(item: pystac.Item) -> dict[str, Json]:
    """Assets by key as plain metadata; `href` an absolute path or a URL.

    An absolute path that is a file here is that file, also where an API states it: servers
    on the same machine do, and against the server's URL it would lead nowhere.
    """
    return {
        key: {**asset.to_dict(), "href": _absolute(asset)}
        for key, asset in item.assets.items()
    }


def _absolute(asset: pystac.Asset) -> str:
    href = asset.href
    if not (href.startswith("/") and Path(href).is_file()):
        href = asset.get_absolute_href() or href
    if href.startswith("file://"):
        href = unquote(urlparse(href).path)
    return href if is_remote(href) else str(Path(href).absolute())


def find_bands(assets: Mapping[str, Json], properties: Json, family: str) -> list[Band]:
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


def stac_json(item: pystac.Item, assets: Mapping[str, Json], layout: Layout) -> str:
    """The whole item as JSON, hrefs absolute, without links into its catalogue.

    Its projection fields are those of the finest band's file.
    """
    whole = item.to_dict(include_self_link=True, transform_hrefs=False)
    inside = ("root", "parent", "collection", "item", "child")
    whole["links"] = [link for link in whole["links"] if link["rel"] not in inside]
    whole["assets"] = dict(assets)
    whole["properties"] |= {
        "proj:code": layout.crs,
        "proj:transform": list(layout.transform),
        "proj:shape": list(layout.shape),
    }
    if item.datetime is None:
        whole["properties"]["terradrift:datetime"] = (
            "middle of start_datetime and end_datetime"
        )
    return json.dumps(whole)


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


def _constellation(item: pystac.Item, family: str) -> str | None:
    if family.startswith(LANDSAT):
        return LANDSAT
    return family or item.properties.get("constellation")


def _exists(href: str, band: Band) -> None:
    if not is_remote(href) and not Path(href).is_file():
        raise SourceError(f"asset {band.asset}: expected a file at {href}, got none")


def _reflectance(
    item: pystac.Item, band: Band, family: str, options: Options
) -> Reflectance:
    statement = Statement(
        scene_id=item.id,
        band=band.name,
        sensor=family,
        collection=item.collection_id or "",
        level=level_of(item),
        baseline=baseline_of(item),
        applied=offset_applied(item),
        scale=band.scale,
        offset=band.offset,
        data_type=band.data_type,
        unit=band.unit,
        reflective=band.name in BANDS and band.name not in _THERMAL,
    )
    return harmonise(statement, boa_offset=options.boa_offset, scale=options.scale)


def _agreed(
    item: pystac.Item, bands: list[Band], decided: list[Reflectance]
) -> tuple[float | None, str]:
    """The one offset of the scene, and its source.

    Raises:
        HarmonisationError: bands of one scene state different offsets.
    """
    told = {d.boa_offset: (b, d) for b, d in zip(bands, decided, strict=True)}
    told.pop(None, None)
    if len(told) > 1:
        names = "; ".join(f"{b.name} {d.boa_offset:g}" for b, d in told.values())
        raise HarmonisationError(
            f"scene {item.id}: expected one offset for all bands, got {names}; "
            "pass --boa-offset 0 or --boa-offset -1000"
        )
    if not told:
        return None, decided[0].source
    (_, change) = next(iter(told.values()))
    return change.boa_offset, change.source


def _asset(
    band: Band, assets: Mapping[str, Json], scale: float | None, offset: float | None
) -> dict[str, Any]:
    wavelength = band.wavelength or BANDS.get(band.name)
    return {
        "band": band.name,
        "href": assets[band.asset]["href"],
        "index": band.index,
        "scale": scale,
        "offset": offset,
        "nodata": band.nodata,
        "wavelength": wavelength,
    }
