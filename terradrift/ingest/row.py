"""One item to one row of `scenes`: layout on the ground, bands, masks, reflectance."""

import json
from collections.abc import Mapping
from typing import Any

import pystac
import shapely

from terradrift.chip import BANDS
from terradrift.errors import HarmonisationError, SourceError
from terradrift.ingest import assets as found
from terradrift.ingest.assets import Band, Json
from terradrift.ingest.bands import LANDSAT, SENTINEL2
from terradrift.ingest.filters import Options, cloud_percent, instant
from terradrift.ingest.footprint import bounds, footprint, pixel_metres
from terradrift.ingest.item_bands import absolute_assets, bands_of
from terradrift.ingest.layout import Layout, check_place, layout_of
from terradrift.ingest.reflectance import Reflectance, Statement, harmonise
from terradrift.ingest.stated import (
    PROBLEM,
    baseline_of,
    level_of,
    offset_applied,
)
from terradrift.ingest.valid import check_properties

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
    if not isinstance(item.id, str) or not isinstance(item.collection_id, str | None):
        raise SourceError(
            f"expected an id and a collection as texts, got {item.id!r} and {item.collection_id!r}"
        )
    check_properties(item.properties)
    assets = absolute_assets(item)
    family, spectral, mask = bands_of(item, assets, options)
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


def _constellation(item: pystac.Item, family: str) -> str | None:
    if family.startswith(LANDSAT):
        return LANDSAT
    return family or item.properties.get("constellation")


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
        # Earth Search's flag is about its GeoTIFFs; the JPEG 2000 beside are ESA's own.
        applied=None if band.asset.endswith("-jp2") else offset_applied(item),
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
