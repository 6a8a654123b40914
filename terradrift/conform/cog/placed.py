"""Where a raster lies, what its missing pixels are, and whether GDAL reads its ends."""

import warnings
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from terradrift.conform.finding import Findings, line, short

_BLOCK_PX = 4_096 * 4_096
"""Pixels of one block that are read."""


def check(path: Path, found: Findings, where: str) -> None:
    """CRS, direction, nodata, and the first and last block of each band."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            options = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
            with (
                rasterio.Env(**options),
                rasterio.open(path.resolve(), driver="GTiff") as file,
            ):
                _place(file, found, where)
                _read(file, found, where)
    except (RasterioError, OSError, ValueError, MemoryError) as error:
        found.error(
            "cog.pixels",
            where,
            "pixels that GDAL reads",
            line(error),
            "copy or write it again; it is damaged",
        )


def _place(file: rasterio.DatasetReader, found: Findings, where: str) -> None:
    to = file.transform
    if file.crs is None:
        found.error(
            "cog.crs",
            where,
            "a CRS",
            "none",
            "write crs; no tool can place it otherwise",
            "OGC GeoTIFF 1.1",
        )
    if to.is_identity:
        found.error(
            "cog.transform",
            where,
            "a place on the ground for each pixel",
            "none",
            "write transform",
            "OGC GeoTIFF 1.1",
        )
    elif to.e > 0 or to.a < 0:
        found.warning(
            "cog.bottom_up",
            where,
            "rows from north to south",
            "them from south to north" if to.e > 0 else "columns from east to west",
            "flip the rows: many readers take the first row for the northern one",
            "OGC GeoTIFF 1.1",
        )
    elif to.b or to.d:
        found.warning(
            "cog.rotated", where, "rows along the CRS", short(list(to)[:6]), "warp it"
        )
    nodata = [one is not None for one in file.nodatavals]
    flags = [
        str(getattr(one, "name", one)) for band in file.mask_flag_enums for one in band
    ]
    if not all(nodata) and not {"alpha", "per_dataset"} & set(flags):
        found.warning(
            "cog.nodata",
            where,
            "a value, mask or alpha band for missing pixels",
            "none",
            "write nodata (NaN for floats)",
            "GDAL, GDAL_NODATA",
        )


def _read(file: rasterio.DatasetReader, found: Findings, where: str) -> None:
    rows, columns = file.block_shapes[0]
    if rows * columns > _BLOCK_PX:
        found.warning(
            "cog.blocks",
            where,
            "blocks of at most 4096 x 4096 px",
            f"{columns} x {rows} px",
            "use 256 or 512 px; this one was not read",
        )
        return
    last_row = (file.height - 1) // rows * rows
    last_column = (file.width - 1) // columns * columns
    for row, column in ((0, 0), (last_row, last_column)):
        window = Window(
            column, row, min(columns, file.width - column), min(rows, file.height - row)
        )
        for band in sorted({1, file.count}):
            file.read(band, window=window)
