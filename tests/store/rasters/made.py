"""Rasters of embeddings as others publish them, made from documented schemas."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

EPSG = 32633
WEST, SOUTH, PIXEL = 500_000.0, 5_300_000.0, 10.0


def unit(height: int, width: int, dimensions: int = 64, seed: int = 0) -> np.ndarray:
    """(h, w, d) vectors of length 1, smooth over 8 pixels; row 0 is the northernmost."""
    random = np.random.default_rng(seed)
    coarse = random.normal(size=(-(-height // 8), -(-width // 8), dimensions))
    found = np.repeat(np.repeat(coarse, 8, 0), 8, 1)[:height, :width]
    found = found + 0.1 * random.normal(size=found.shape)
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


def alphaearth_bytes(vectors: np.ndarray) -> np.ndarray:
    """The inverse of (v / 127.5)^2 sign(v), as bytes."""
    root = np.sign(vectors) * np.sqrt(np.abs(vectors)) * 127.5
    return np.clip(np.round(root), -127, 127).astype(np.int8)


def geotiff(
    path: Path,
    pixels: np.ndarray,
    *,
    bottom_up: bool = False,
    corner: tuple[float, float] = (WEST, SOUTH),
    nodata: float | None = None,
    names: bool = False,
    tags: dict[str, str] | None = None,
    epsg: int = EPSG,
    pixel: float = PIXEL,
) -> Path:
    """Pixels (h, w, d), row 0 northernmost; `corner` is west and south of the raster.

    With `bottom_up` the file's first row is the southernmost, and its transform says so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, bands = pixels.shape
    west, south = corner
    if bottom_up:
        transform = Affine(pixel, 0, west, 0, pixel, south)
        pixels = pixels[::-1]
    else:
        transform = Affine(pixel, 0, west, 0, -pixel, south + height * pixel)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=bands,
        dtype=pixels.dtype.name,
        crs=f"EPSG:{epsg}",
        transform=transform,
        nodata=nodata,
        tiled=True,
        blockxsize=64,
        blockysize=64,
        interleave="pixel",
    ) as file:
        file.write(np.moveaxis(pixels, -1, 0))
        if names:
            file.descriptions = tuple(f"A{band:02}" for band in range(bands))
        if tags:
            file.update_tags(**tags)
    return path


def alphaearth(
    folder: Path, year: int, vectors: np.ndarray, *, hole: bool = False, **how: object
) -> Path:
    """A COG's layout: year and zone as folders, 64 bands of bytes, -128 for nothing."""
    stored = alphaearth_bytes(vectors)
    if hole:
        stored[:8, :8] = -128
    name = how.pop("name", "xabcdefgh-0000000000-0000008192")
    return geotiff(
        folder / str(year) / "33N" / f"{name}.tiff",
        stored,
        nodata=-128,
        names=True,
        **{"bottom_up": True, **how},
    )


def tessera(
    folder: Path, year: int, vectors: np.ndarray, *, tile: str = "grid_15.05_47.85"
) -> Path:
    """Bytes (h, w, 128) and a scale per pixel, in folders by year; where: `landmask`."""
    inside = folder / "global_0.1_degree_representation" / str(year) / tile
    inside.mkdir(parents=True, exist_ok=True)
    scale = (np.abs(vectors).max(axis=-1) / 127).astype(np.float32)
    stored = np.round(vectors / scale[..., None]).astype(np.int8)
    scale[:4, :4] = np.nan
    np.save(inside / f"{tile}.npy", stored)
    np.save(inside / f"{tile}_scales.npy", scale)
    return inside / f"{tile}.npy"


def landmask(
    folder: Path, height: int, width: int, tile: str = "grid_15.05_47.85"
) -> Path:
    ones = np.ones((height, width, 1), np.uint8)
    return geotiff(folder / "global_0.1_degree_tiff_all" / f"{tile}.tiff", ones)
