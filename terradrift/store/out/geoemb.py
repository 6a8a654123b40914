"""Attributes of Zarr groups of embeddings, by published conventions (pure).

`geoemb:` (geo-embeddings/embeddings-zarr-convention, v1) on the root; `proj` and `spatial`
(zarr-conventions, v0.1) and CF on the group of each zone.
"""

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import pyproj

from terradrift.grid import Grid
from terradrift.store.footer import Contents
from terradrift.store.out import links

GEOEMB = {
    "schema_url": "https://raw.githubusercontent.com/geo-embeddings/embeddings-zarr-convention/refs/tags/v1/schema.json",
    "spec_url": "https://github.com/geo-embeddings/embeddings-zarr-convention/blob/v1/README.md",
    "uuid": "61c12cc5-0e28-4056-999a-480cf3fb7e4c",
    "name": "geoemb:",
    "description": "Geoembeddings convention for geospatial embedding arrays with model provenance",
}
PROJ = {
    "schema_url": "https://raw.githubusercontent.com/zarr-conventions/proj/refs/tags/v0.1/schema.json",
    "spec_url": "https://github.com/zarr-conventions/proj/blob/v0.1/README.md",
    "uuid": "f17cb550-5864-4468-aeb7-f3180cfb622f",
    "name": "proj",
    "description": "Coordinate reference system information for geospatial data",
}
SPATIAL = {
    "schema_url": "https://raw.githubusercontent.com/zarr-conventions/spatial/refs/tags/v0.1/schema.json",
    "spec_url": "https://github.com/zarr-conventions/spatial/blob/v0.1/README.md",
    "uuid": "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
    "name": "spatial",
    "description": "Spatial coordinate information",
}
SCALES = "scales"
"""Array of the scale of each vector, where vectors are int8."""
MODEL = "terradrift:model"
"""Attribute of the root by which a store of ours is known."""
FILES = re.compile(
    r"zarr\.json|(utm\d\ds?|epsg\d+)/(zarr\.json|"
    r"(embeddings|scales|clear_percent|acquired|time|y|x|band|spatial_ref)"
    r"/(zarr\.json|c(/\d+)*))"
)
"""Every path of a file in such a store."""
_SOUTH = 32700
_UTM = range(32601, 32761)


def root(contents: Contents, grid: Grid, names: Iterable[str]) -> dict[str, Any]:
    """Attributes of the root group above those of `names`.

    `contents.dtype` is that of the vectors. A layout of UTM zones is told where each zone
    is one group.
    """
    px = contents.patch_px or 1
    layout = {
        "layout_type": "regular_grid",
        "chip_size": [px, px],
        "stride": [px, px],
        "grid_id": f"terradrift {grid.crs} {grid.patch_size} m",
    }
    found = {
        "zarr_conventions": [GEOEMB],
        "geoemb:type": "chip",
        "geoemb:dimensions": contents.dimensions,
        "geoemb:model": links.model(contents.model),
        "geoemb:source_data": links.source_data(contents.collections, contents.sources),
        "geoemb:data_type": contents.dtype,
        "geoemb:gsd": float(grid.gsd or grid.patch_size),
        "geoemb:chip_layout": layout,
        "geoemb:quantization": _quantization(contents.dtype),
        "geoemb:build_version": version("terradrift"),
        MODEL: dict(contents.model),
        "terradrift:patch_size": grid.patch_size,
    }
    if grid.crs == "utm" and not any(name.endswith("s") for name in names):
        found["geoemb:spatial_layout"] = "utm_zones"
    return found


def group_name(epsg: int, others: set[int]) -> str:
    """`utm31` of a UTM zone; the south of one whose north is there too is `utm31s`.

    The convention names a group per zone and knows no hemispheres, whose grids are not
    one. Of another CRS it is `epsg3035`.
    """
    if epsg not in _UTM:
        return f"epsg{epsg}"
    both = epsg > _SOUTH and epsg - 100 in others
    return f"utm{epsg % 100:02d}{'s' if both else ''}"


def zone(
    epsg: int, transform: tuple[float, ...], shape: tuple[int, int]
) -> dict[str, Any]:
    """Attributes of a zone's group: affine `transform` (6), and `shape` height and width."""
    size, _, left, _, _, top = transform
    height, width = shape
    return {
        "zarr_conventions": [PROJ, SPATIAL],
        "proj:code": f"EPSG:{epsg}",
        "spatial:dimensions": ["y", "x"],
        "spatial:bbox": [left, top - height * size, left + width * size, top],
        "spatial:transform_type": "affine",
        "spatial:transform": list(transform),
        "spatial:shape": [height, width],
        "spatial:registration": "pixel",
    }


def grid_mapping(epsg: int, transform: tuple[float, ...]) -> dict[str, Any]:
    """Attributes of the CF variable `spatial_ref`, which GDAL and rioxarray read."""
    a, b, c, d, e, f = transform
    found: dict[str, Any] = pyproj.CRS.from_epsg(epsg).to_cf()
    found["spatial_ref"] = found["crs_wkt"]
    found["GeoTransform"] = f"{c} {a} {b} {f} {d} {e}"
    return found


def _quantization(dtype: str) -> dict[str, Any]:
    """What was done to the model's float32; the archive keeps float16."""
    if dtype == "int8":
        return {
            "method": "per_pixel_scale",
            "original_dtype": "float32",
            "quantized_dtype": "int8",
            "scale": {"type": "array", "array_name": SCALES, "nodata": "NaN"},
        }
    if dtype == "float32":
        return {"method": "cast to float16 and back", "original_dtype": "float32"}
    return {
        "method": "cast",
        "original_dtype": "float32",
        "quantized_dtype": "float16",
        "scale": {"type": "scalar", "scale": 1.0, "offset": 0.0},
    }
