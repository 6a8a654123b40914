"""Maps as Cloud-Optimised GeoTIFF: there whole under their name, or not at all."""

import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.windows import Window

from terradrift.errors import ArchiveError

_BLOCK_PX = 512
_MIN_BLOCK_PX = 128
"""GDAL takes no smaller block for a COG."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a raster lies, north up."""

    epsg: int
    corner: tuple[float, float]
    """West and north edge, metres of the CRS."""
    gsd: float
    """Metres per pixel, side."""
    size: tuple[int, int]
    """Pixels: height and width."""

    def window(self, corner: tuple[float, float], size: tuple[int, int]) -> Window:
        """The pixels of it that lie at `corner`, height and width `size`.

        Raises:
            ValueError: they do not lie on it.
        """
        row = round((self.corner[1] - corner[1]) / self.gsd)
        col = round((corner[0] - self.corner[0]) / self.gsd)
        height, width = size
        if (
            min(row, col) < 0
            or row + height > self.size[0]
            or col + width > self.size[1]
        ):
            raise ValueError(f"expected pixels within {self}, got {size} at {corner}")
        return Window(col, row, width, height)


def usable(folder: Path) -> None:
    """Make the folder if need be, and see that files can be written into it.

    Raises:
        ArchiveError: it is no folder, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ArchiveError(
            f"cannot write maps into {folder}: {error.strerror or error}; choose another "
            "folder"
        ) from error


def write_cog(  # noqa: PLR0917 - pixels and where they lie are one thought
    path: Path,
    pixels: NDArray[np.float32],
    epsg: int,
    corner: tuple[float, float],
    gsd: float,
    descriptions: Sequence[str],
    nodata: float = float("nan"),
) -> None:
    """Write (band, y, x) as float32; a file of that name is replaced in one step.

    `corner` is the west and north edge in metres of the CRS, `gsd` metres per pixel;
    `descriptions` name the bands. Tiled, with overviews (averages), deflated. The folder
    is made where it is not there yet.

    Raises:
        ValueError: not three axes, no pixel, or another number of descriptions than bands.
        OSError: it cannot be written; what was there stays.
    """
    if pixels.ndim != 3 or not pixels.size:
        raise ValueError(f"expected (band, y, x) pixels, got shape {pixels.shape}")
    _, height, width = pixels.shape
    with Mosaics() as made:
        place = Place(epsg, corner, gsd, (height, width))
        made.put(path, place, pixels, corner, descriptions, nodata)
        made.finish()


class Mosaics:
    """Maps that are put together from windows on disk, so that few pixels are held.

    Windows go to a file without overviews beside each map; `finish` makes the maps. Of
    those that are not finished when the `with` block ends nothing stays; what a killed
    process of this machine left of a map goes when the map is made again.
    """

    def __init__(self) -> None:
        self._raw: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for raw in self._raw.values():
            raw.unlink(missing_ok=True)

    def put(  # noqa: PLR0917 - pixels and where they lie are one thought
        self,
        path: Path,
        place: Place,
        pixels: NDArray[np.float32],
        corner: tuple[float, float],
        descriptions: Sequence[str],
        nodata: float = float("nan"),
    ) -> None:
        """Put (band, y, x) pixels into the map `path`; what never comes is nodata.

        Raises:
            ValueError: pixels beyond `place`, or another number of descriptions than bands.
            OSError: it cannot be written.
        """
        if len(descriptions) != len(pixels):
            raise ValueError(
                f"expected a description of each of {len(pixels)} bands, got "
                f"{len(descriptions)}"
            )
        _, height, width = pixels.shape
        window = place.window(corner, (height, width))
        if path not in self._raw:
            path.parent.mkdir(parents=True, exist_ok=True)
            _clear(path)
            self._raw[path] = _beside(path, "raw")
            _begin(self._raw[path], place, descriptions, nodata)
        with rasterio.open(self._raw[path], "r+") as file:
            file.write(pixels.astype(np.float32, copy=False), window=window)

    def finish(self) -> list[Path]:
        """Make the maps that were begun; each is renamed into place when it is whole."""
        done = list(self._raw)
        for path in done:
            made = _beside(path, "cog")
            try:
                _copy(self._raw[path], made)
                made.replace(path)
            finally:
                made.unlink(missing_ok=True)
            self._raw.pop(path).unlink()
        return done


def _begin(raw: Path, place: Place, descriptions: Sequence[str], nodata: float) -> None:
    """A tiled file of nodata."""
    (height, width), (west, north) = place.size, place.corner
    with rasterio.open(
        raw,
        "w",
        driver="GTiff",
        count=len(descriptions),
        height=height,
        width=width,
        dtype="float32",
        crs=f"EPSG:{place.epsg}",
        transform=Affine(place.gsd, 0.0, west, 0.0, -place.gsd, north),
        nodata=nodata,
        tiled=True,
        blockxsize=_MIN_BLOCK_PX,
        blockysize=_MIN_BLOCK_PX,
        interleave="band",
        sparse_ok=True,
        bigtiff="if_safer",
    ) as file:
        for number, text in enumerate(descriptions, start=1):
            file.set_band_description(number, text)


def _copy(raw: Path, made: Path) -> None:
    with rasterio.open(raw) as file:
        across = max(file.height, file.width)
    block = 1 << int(np.ceil(np.log2(across)))
    rasterio.shutil.copy(
        raw,
        made,
        driver="COG",
        compress="deflate",
        predictor="yes",
        blocksize=min(_BLOCK_PX, max(_MIN_BLOCK_PX, block)),
        overview_resampling="average",
        bigtiff="if_safer",
    )


def _beside(path: Path, part: str) -> Path:
    return path.with_name(f"{_hidden(path)}{os.getpid()}.{part}.tif")


def _hidden(path: Path) -> str:
    """How names begin of what this machine has not finished: ids of others say nothing."""
    return f".{path.name}.{platform.node()}."


def _clear(path: Path) -> None:
    """Remove what processes that are no more left of the map `path`."""
    start = _hidden(path)
    for left in path.parent.iterdir():
        number = left.name.removeprefix(start).split(".")[0]
        if left.name.startswith(start) and number.isdigit() and not _runs(int(number)):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True
