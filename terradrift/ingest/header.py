"""What a raster file says about itself: the only place where ingest reads headers."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from terradrift.errors import SourceError

if TYPE_CHECKING:
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

Transform = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f of x = a*col + b*row + c, y = d*col + e*row + f, as in `proj:transform`."""


@dataclass(frozen=True, slots=True)
class Header:
    """Layout and tags of one raster file."""

    crs: str | None
    """`EPSG:n`; None without CRS, or with one that has no EPSG code."""
    transform: Transform
    shape: tuple[int, int]
    """Rows, columns."""
    names: tuple[str | None, ...]
    """Description of each band, None where it has none."""
    dtypes: tuple[str, ...]
    nodata: float | None
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    tags: dict[str, str]
    """File tags; those of the IMAGERY domain win."""


def is_remote(href: str) -> bool:
    """Whether `href` is a URL rather than a path."""
    return "://" in href or href.startswith("/vsi")


def read_header(href: str) -> Header:
    """Read the header of a raster file; no pixels.

    Raises:
        SourceError: there is no such file, or it is not a raster that can be read.
    """
    import rasterio
    import rasterio.errors

    if not is_remote(href) and not Path(href).is_file():
        raise SourceError(f"expected a file at {href}, got none")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with (
                rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
                rasterio.open(href) as file,
            ):
                return _header(file)
    except rasterio.errors.RasterioIOError as error:
        raise SourceError(
            f"expected a raster at {href}, which cannot be opened: {error}"
        ) from error


def _header(file: "DatasetReader") -> Header:
    return Header(
        crs=_epsg(file.crs),
        transform=tuple(file.transform)[:6],
        shape=(file.height, file.width),
        names=tuple(file.descriptions),
        dtypes=tuple(file.dtypes),
        nodata=file.nodata,
        scales=tuple(file.scales),
        offsets=tuple(file.offsets),
        tags={**file.tags(), **file.tags(ns="IMAGERY")},
    )


def _epsg(crs: "CRS | None") -> str | None:
    if not crs:
        return None
    code = crs.to_epsg()
    return None if code is None else f"EPSG:{code}"
