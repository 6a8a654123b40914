"""Where rasters lie, also those that do not say it themselves."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.warp import transform_bounds

from terradrift.errors import ArchiveError, SchemaError
from terradrift.grid import utm_zone

TILE = re.compile(r"grid_(-?\d+(?:\.\d+)?)_(-?\d+(?:\.\d+)?)")
"""Name of a tile of TESSERA: longitude and latitude of its middle."""
_CELL, _PIXEL = 0.1, 10.0
"""TESSERA's tiles: degrees of a side, metres of a pixel."""
_LANDMASKS = "global_0.1_degree_tiff_all"


@dataclass(frozen=True, slots=True, eq=False)
class Where:
    """Place and size of a raster."""

    crs: CRS
    transform: Affine
    height: int
    width: int


def tessera(path: Path, height: int, width: int) -> tuple[CRS, Affine]:
    """Where an array lies: as the raster of its tile says, or by its name.

    Raises:
        SchemaError: neither is there, or of another shape.
    """
    match = TILE.search(path.stem)
    if match is None:
        raise SchemaError(
            f"{path} does not say where it lies: expected a name such as grid_4.35_50.85.npy"
        )
    for folder in path.absolute().parents[:5]:
        for inside in (folder, folder / _LANDMASKS):
            for ending in (".tiff", ".tif"):
                beside = inside / f"{match[0]}{ending}"
                if beside.exists():
                    return _same(beside, height, width)
    lon, lat = float(match[1]), float(match[2])
    crs = CRS.from_epsg((32600 if lat >= 0 else 32700) + utm_zone(lon))
    half = _CELL / 2
    left, bottom, right, top = transform_bounds(
        CRS.from_epsg(4326), crs, lon - half, lat - half, lon + half, lat + half
    )
    high, wide = (top - bottom) / _PIXEL, (right - left) / _PIXEL
    if abs(high - height) > 1 or abs(wide - width) > 1:
        raise SchemaError(
            f"{path} has {height} x {width} pixels, its tile {high:.0f} x {wide:.0f} of 10 m; "
            f"put the tile's raster {match[0]}.tiff beside it, which says where it lies"
        )
    return crs, Affine(_PIXEL, 0, left, 0, -_PIXEL, top)


def _same(beside: Path, height: int, width: int) -> tuple[CRS, Affine]:
    with reading(beside), rasterio.open(beside) as opened:
        if (opened.height, opened.width) != (height, width):
            raise SchemaError(
                f"{beside} has {opened.height} x {opened.width} pixels, the array beside it "
                f"{height} x {width}"
            )
        return opened.crs, opened.transform


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what GDAL or NumPy could not read into one clear line."""
    try:
        yield
    except (RasterioIOError, RasterioError, OSError, ValueError) as error:
        if isinstance(error, SchemaError | ArchiveError):
            raise
        raise ArchiveError(
            f"cannot read {path}: {str(error).splitlines()[0]}"
        ) from error
