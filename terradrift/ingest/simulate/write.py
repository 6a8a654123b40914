"""Arrays to Cloud Optimized GeoTIFFs; each file appears whole or not at all."""

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from terradrift.ingest.simulate.recipe import Recipe

LICENCE = "CC0-1.0"


def transform(recipe: Recipe) -> Affine:
    """Pixel (column, row) to metres of the recipe's CRS; north up."""
    west, north = recipe.origin
    return Affine(recipe.gsd, 0.0, west, 0.0, -recipe.gsd, north)


def write_cog(
    path: Path,
    pixels: NDArray[np.uint16] | NDArray[np.uint8],
    recipe: Recipe,
    *,
    names: tuple[str, ...],
    threads: int,
) -> None:
    """Write (band, y, x) with nodata 0, tiled and deflated, overviews for large images."""
    partial = path.with_name(f".{path.name}.partial")
    with rasterio.open(
        partial,
        "w",
        driver="COG",
        count=len(pixels),
        height=pixels.shape[1],
        width=pixels.shape[2],
        dtype=pixels.dtype,
        crs=f"EPSG:{recipe.epsg}",
        transform=transform(recipe),
        nodata=0,
        compress="DEFLATE",
        level=1,
        predictor="STANDARD" if pixels.itemsize > 1 else "NO",
        blocksize=recipe.block_px,
        # A mean of classes is no class, and a mean with nodata is no reflectance.
        overview_resampling="NEAREST",
        num_threads=threads,
    ) as file:
        file.write(pixels)
        for number, name in enumerate(names, start=1):
            file.set_band_description(number, name)
    partial.replace(path)
