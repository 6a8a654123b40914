"""Small GeoTIFFs on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio import Affine


def write(
    path: Path,
    names: tuple[str | None, ...] = ("red",),
    *,
    crs: str | None = "EPSG:32631",
    dtype: str = "uint16",
    nodata: float | None = 0,
    tags: dict[str, str] | None = None,
    scale: float | None = None,
    offset: float | None = None,
    size: float = 10.0,
) -> Path:
    """A raster of 8 x 6 pixels, value 1000, with these band descriptions and tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": 8,
        "height": 6,
        "count": len(names),
        "dtype": dtype,
        "nodata": nodata,
        "crs": crs,
        "transform": Affine(size, 0, 500_000, 0, -size, 5_600_000),
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.full((len(names), 6, 8), 1000, dtype))
        for index, name in enumerate(names, 1):
            if name:
                file.set_band_description(index, name)
        file.update_tags(**(tags or {}))
        if scale is not None:
            file.scales = [scale] * len(names)
            file.offsets = [offset or 0.0] * len(names)
    return path
