"""One item to one row of `scenes`: layout on the ground, bands, masks, reflectance."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pystac
import shapely

from terradrift.chip import BANDS
from terradrift.errors import HarmonisationError, SourceError
from terradrift.ingest import assets as found
from terradrift.ingest.assets import Band, Json
from terradrift.ingest.bands import SENTINEL2, number, sensor
from terradrift.ingest.filters import Options, instant
from terradrift.ingest.footprint import bounds, footprint, pixel_metres
from terradrift.ingest.header import Transform, is_remote, read_header
from terradrift.ingest.reflectance import Reflectance, Statement, harmonise

Row = dict[str, Any]

_THERMAL = ("lwir", "lwir11", "lwir12")
_FAR_DEGREES = 1.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the finest band's pixels lie."""

    crs: str
    transform: Transform
    shape: tuple[int, int]


def row(item: pystac.Item, options: Options, run_id: str) -> Row:
    """The row of `scenes` that `item` gives.

    Headers of local files are read; of remote ones only where the item leaves out CRS,
    transform or shape.

    Raises:
        HarmonisationError: digital numbers cannot be turned into reflectance safely.
        SourceError: the scene cannot be used, and why.
    """
    when = instant(item)
    assets = absolute_assets(item)
    family = sensor_of(item)
    bands = find_bands(assets, item.properties, family)
    if not family and any(number(band.label) == "8A" for band in bands):
        # No other sensor has a band of that name.
        family = SENTINEL2
        bands = find_bands(assets, item.properties, family)
    mask = found.find_mask(options.mask, assets, bands, item.properties)
    spectral = _wanted(bands, assets, options)
    for band in (*spectral, *([mask] if mask else [])):
        _exists(assets[band.asset]["href"], band)
    finest = min(spectral, key=lambda band: band.pixel)
    layout = _layout(assets[finest.asset], item)
    outline = footprint(layout.crs, layout.transform, layout.shape)
    _near(outline, item)
    decided = [_reflectance(item, band, family, options) for band in spectral]
    boa_offset, source = _agreed(item, spectral, decided)
    stated = found._number(
        assets[finest.asset].get("gsd") or item.properties.get("gsd")
    )
    return {
        "scene_id": item.id,
        "datetime": when,
        "collection": item.collection_id,
        "constellation": item.properties.get("constellation") or family or None,
        "platform": item.properties.get("platform"),
        "processing_level": level_of(item),
        "processing_baseline": baseline_of(item) if family == SENTINEL2 else None,
        "boa_offset": boa_offset,
        "boa_offset_source": source,
        "cloud_percent": item.properties.get("eo:cloud_cover"),
        "gsd": pixel_metres(layout.crs, layout.transform, stated),
        "crs": layout.crs,
        "bbox": bounds(outline),
        "geometry": shapely.to_wkb(outline),
        "bands": [band.name for band in spectral],
        "assets": [
            _asset(band, assets, change.scale, change.offset)
            for band, change in zip(spectral, decided, strict=True)
        ]
        + ([_asset(mask, assets, None, None)] if mask else []),
        "stac_item": stac_json(item, assets),
        "run_id": run_id,
    }


def sensor_of(item: pystac.Item) -> str:
    """Sensor family that the item states, by platform first."""
    said = item.properties
    instruments = " ".join(map(str, said.get("instruments") or []))
    return sensor(
        said.get("platform"),
        said.get("constellation"),
        instruments,
        item.collection_id,
        item.id,
    )


def level_of(item: pystac.Item) -> str | None:
    """Processing level such as L1C or L2A, where stated."""
    said = item.properties
    for field in ("processing:level", "s2:product_type", "landsat:correction"):
        match = re.search(r"([12])([A-C]|S[PR]|T[PG])?$", str(said.get(field) or ""))
        if match:
            return f"L{match[0]}"
    named = f"{item.collection_id or ''} {said.get('s2:product_uri') or ''} {item.id}"
    match = re.search(r"(?:^|[^a-z]|msi)l-?([12][a-c])(?![a-z0-9])", named.lower())
    return f"L{match[1].upper()}" if match else None


def baseline_of(item: pystac.Item) -> str | None:
    """Sentinel-2 processing baseline as stated, such as `05.09`; else from product names."""
    said = item.properties
    for field in ("s2:processing_baseline", "sentinel:processing_baseline"):
        if said.get(field) is not None:
            return str(said[field])
    version = str(said.get("processing:version") or "")
    if re.fullmatch(r"\d{2}\.\d{2}", version):
        return version
    for text in (said.get("s2:product_uri"), said.get("sentinel:product_id"), item.id):
        match = re.search(r"_N(\d{2})(\d{2})_", str(text or ""))
        if match:
            return f"{match[1]}.{match[2]}"
    return None


def absolute_assets(item: pystac.Item) -> dict[str, Json]:
    """Assets by key as plain metadata; `href` an absolute path or a URL."""
    return {
        key: {**asset.to_dict(), "href": _path(asset.get_absolute_href() or asset.href)}
        for key, asset in item.assets.items()
    }


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


def stac_json(item: pystac.Item, assets: Mapping[str, Json]) -> str:
    """The whole item as JSON, hrefs absolute, without links into its catalogue."""
    whole = item.to_dict(include_self_link=True, transform_hrefs=False)
    inside = ("root", "parent", "collection", "item", "child")
    whole["links"] = [link for link in whole["links"] if link["rel"] not in inside]
    whole["assets"] = dict(assets)
    if item.datetime is None:
        whole["properties"]["terradrift:datetime"] = (
            "middle of start_datetime and end_datetime"
        )
    return json.dumps(whole)


def _path(href: str) -> str:
    if href.startswith("file://"):
        href = unquote(urlparse(href).path)
    return href if is_remote(href) else str(Path(href).absolute())


def _wanted(
    bands: list[Band], assets: Mapping[str, Json], options: Options
) -> list[Band]:
    spectral = [band for band in bands if not found.mask_kind(band.label, {})]
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
            f"got assets {', '.join(sorted(assets)) or 'none'}"
        )
    order = list(BANDS)
    known = [band for band in chosen if band.name in BANDS]
    rest = [band for band in chosen if band.name not in BANDS]
    return [*sorted(known, key=lambda band: order.index(band.name)), *rest]


def _exists(href: str, band: Band) -> None:
    if not is_remote(href) and not Path(href).is_file():
        raise SourceError(f"asset {band.asset}: expected a file at {href}, got none")


def _layout(asset: Json, item: pystac.Item) -> Layout:
    said = item.properties
    crs = found.proj_code(asset) or found.proj_code(said)
    holder = asset if "proj:transform" in asset and "proj:shape" in asset else said
    transform, shape = holder.get("proj:transform"), holder.get("proj:shape")
    if is_remote(asset["href"]) and crs and transform and shape:
        return Layout(crs, tuple(transform[:6]), (int(shape[0]), int(shape[1])))
    header = read_header(asset["href"])
    if header.crs is None:
        raise SourceError(
            f"expected a CRS with an EPSG code in {asset['href']}, got none; "
            "assign one with gdal_edit.py -a_srs EPSG:n"
        )
    if crs is not None and crs != header.crs:
        raise SourceError(
            f"item states {crs}, but {asset['href']} is in {header.crs}; correct one of them"
        )
    return Layout(header.crs, header.transform, header.shape)


def _near(outline: shapely.geometry.base.BaseGeometry, item: pystac.Item) -> None:
    """Refuse a raster that lies far from where its item says."""
    if item.geometry is None:
        return
    stated = shapely.geometry.shape(item.geometry)
    if stated.is_empty or outline.distance(stated) <= _FAR_DEGREES:
        return
    here, there = outline.centroid, stated.centroid
    raise SourceError(
        f"raster lies at {here.x:.2f},{here.y:.2f} degrees, but the item's geometry at "
        f"{there.x:.2f},{there.y:.2f}; the CRS of the file or the geometry is wrong"
    )


def _reflectance(
    item: pystac.Item, band: Band, family: str, options: Options
) -> Reflectance:
    said = item.properties
    flags = (f"{prefix}:boa_offset_applied" for prefix in ("earthsearch", "sentinel"))
    applied = next((said[flag] for flag in flags if flag in said), None)
    statement = Statement(
        scene_id=item.id,
        band=band.name,
        sensor=family,
        collection=item.collection_id or "",
        level=level_of(item),
        baseline=baseline_of(item),
        applied=applied,
        scale=band.scale,
        offset=band.offset,
        data_type=band.data_type,
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
