"""The static STAC catalogue of a simulated series, hrefs relative to each file."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from terradrift.ingest.simulate.classify import CIRRUS, CLOUD_HIGH, CLOUD_MEDIUM
from terradrift.ingest.simulate.recipe import Acquisition, Recipe
from terradrift.ingest.simulate.spectra import BANDS
from terradrift.ingest.simulate.weather import Weather

COLLECTION = "terradrift-simulation"
_EXTENSIONS = {
    "1.0.0": ("eo/v1.1.0", "projection/v1.1.0", "raster/v1.1.0", "view/v1.0.0"),
    "1.1.0": ("eo/v2.0.0", "projection/v2.0.0", "raster/v2.0.0", "view/v1.0.0"),
}
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_TEXT = "Simulated Sentinel-2 L2A surface reflectance with planted changes"

Json = dict[str, Any]


def image_files(recipe: Recipe, scene_id: str) -> dict[str, tuple[str, ...]]:
    """Image file (relative to the catalogue) to the bands that it holds."""
    if recipe.layout == "multiband":
        return {f"images/{scene_id}.tif": recipe.bands}
    return {f"images/{scene_id}_{band}.tif": (band,) for band in recipe.bands}


def mask_file(scene_id: str) -> str:
    """SCL file (relative to the catalogue) of a scene."""
    return f"masks/{scene_id}_SCL.tif"


def item(
    recipe: Recipe, scene: Acquisition, sky: Weather, scl: NDArray[np.uint8]
) -> Json:
    """The STAC item of a scene, true about offset, baseline, cloud and nodata."""
    west, south, east, north = extent(recipe)
    cloudy = np.isin(scl, (CLOUD_MEDIUM, CLOUD_HIGH, CIRRUS)).mean()
    crs: Json = (
        {"proj:epsg": recipe.epsg}
        if recipe.stac_version == "1.0.0"
        else {"proj:code": f"EPSG:{recipe.epsg}"}
    )
    x, y = recipe.origin
    return {
        "type": "Feature",
        "stac_version": recipe.stac_version,
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/schema.json"
            for name in _EXTENSIONS[recipe.stac_version]
        ],
        "id": scene.scene_id,
        "collection": COLLECTION,
        "geometry": {"type": "Polygon", "coordinates": [_ring(recipe)]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": f"{scene.instant:%Y-%m-%dT%H:%M:%SZ}",
            "constellation": "sentinel-2",
            "platform": f"sentinel-2{'ab'[scene.index % 2]}",
            "instruments": ["msi"],
            "gsd": recipe.gsd,
            "eo:cloud_cover": round(float(cloudy) * 100, 2),
            "s2:nodata_pixel_percentage": round(float((~sky.seen).mean()) * 100, 2),
            "s2:product_type": "S2MSI2A",
            "s2:processing_baseline": scene.baseline,
            "view:sun_elevation": round(sky.sun_elevation, 2),
            "view:sun_azimuth": round(sky.sun_azimuth, 2),
            **crs,
            "proj:shape": [recipe.size_px, recipe.size_px],
            "proj:transform": [recipe.gsd, 0.0, x, 0.0, -recipe.gsd, y],
        },
        "links": [
            _link("root", "../catalog.json"),
            _link("parent", "../collection.json"),
            _link("collection", "../collection.json"),
        ],
        "assets": _assets(recipe, scene),
    }


def _assets(recipe: Recipe, scene: Acquisition) -> Json:
    offset = -scene.boa_add / 10_000
    assets: Json = {}
    for file, bands in image_files(recipe, scene.scene_id).items():
        asset: Json = {
            "href": f"../{file}",
            "type": _COG,
            "title": "Surface reflectance: digital number * scale + offset",
            "roles": ["data", "reflectance"],
        }
        if recipe.stac_version == "1.0.0":
            asset["eo:bands"] = [_eo_band(band) for band in bands]
            asset["raster:bands"] = [
                {"data_type": "uint16", "nodata": 0, "scale": 0.0001, "offset": offset}
                for _ in bands
            ]
        else:
            asset |= {"data_type": "uint16", "nodata": 0}
            asset |= {"raster:scale": 0.0001, "raster:offset": offset}
            asset["bands"] = [_band(band) for band in bands]
        assets["image" if recipe.layout == "multiband" else bands[0]] = asset
    assets["scl"] = {
        "href": f"../{mask_file(scene.scene_id)}",
        "type": _COG,
        "title": "Scene classification (SCL), classes as Sen2Cor",
        "roles": ["data-mask", "cloud"],
    }
    return assets


def _band(band: str) -> Json:
    common, wavelength = BANDS[band]
    return {
        "name": band,
        "eo:common_name": common,
        "eo:center_wavelength": wavelength,
    }


def _eo_band(band: str) -> Json:
    common, wavelength = BANDS[band]
    # The eo extension before 2.0 knows one red edge.
    common = "rededge" if common.startswith("rededge") else common
    return {"name": band, "common_name": common, "center_wavelength": wavelength}


def write_catalog(
    out: Path, recipe: Recipe, items: Iterable[Mapping[str, Any]]
) -> Path:
    """Write collection.json and catalog.json over the items, in the order given."""
    ids, instants = [], []
    for one in items:
        ids.append(one["id"])
        instants.append(one["properties"]["datetime"])
    head = {"stac_version": recipe.stac_version, "description": _TEXT}
    links = [_link("root", "./catalog.json"), _link("parent", "./catalog.json")]
    collection = {
        "type": "Collection",
        "id": COLLECTION,
        **head,
        "title": "Simulated Sentinel-2 series",
        "license": "CC0-1.0",
        "keywords": ["simulation", "sentinel-2", "change detection"],
        "extent": {
            "spatial": {"bbox": [list(extent(recipe))]},
            "temporal": {"interval": [[min(instants), max(instants)]]},
        },
        "links": links + [_link("item", f"./items/{name}.json") for name in ids],
    }
    catalog = {
        "type": "Catalog",
        "id": f"{COLLECTION}-catalog",
        **head,
        "title": "Simulated Sentinel-2 series",
        "links": [
            _link("root", "./catalog.json"),
            _link("child", "./collection.json"),
        ],
    }
    write_json(out / "collection.json", collection)
    write_json(out / "catalog.json", catalog)
    return out / "catalog.json"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _link(rel: str, href: str) -> Json:
    media = "application/geo+json" if rel == "item" else "application/json"
    return {"rel": rel, "href": href, "type": media}


def _ring(recipe: Recipe) -> list[list[float]]:
    """Corners in degrees, counter-clockwise, closed."""
    x, y = recipe.origin
    side = recipe.size_px * recipe.gsd
    to_degrees = Transformer.from_crs(recipe.epsg, 4326, always_xy=True)
    lon, lat = to_degrees.transform(
        [x, x + side, x + side, x, x], [y - side, y - side, y, y, y - side]
    )
    return [[round(a, 8), round(b, 8)] for a, b in zip(lon, lat, strict=True)]


def extent(recipe: Recipe) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees."""
    ring = np.array(_ring(recipe))
    (west, south), (east, north) = ring.min(0), ring.max(0)
    return float(west), float(south), float(east), float(north)
