"""One raster of an event as it lies in its file."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from terradrift.chip import BANDS
from terradrift.errors import SourceError
from terradrift.ingest import bands as known_bands
from terradrift.ingest.files import gdal
from terradrift.ingest.frame import Frame

_RGB = ("red", "green", "blue")
_SENTINEL2 = 1e-4
_WHITE = 0.3
"""What the white of a picture stands for: models of pictures stretch reflectance so."""
_SCALES = {"uint8": _WHITE / 255, "uint16": _SENTINEL2, "int16": _SENTINEL2}
"""Of whole numbers that state no scale; floats are taken as they are."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says before its pixels are read."""

    path: Path
    height: int
    width: int
    bands: tuple[str, ...]
    """Canonical names; `band1` where it is not said. Three bytes are red, green, blue."""
    scale: float
    offset: float
    """Value, reflectance or like it, = number * scale + offset."""
    frame: Frame | None
    """Where the pixels lie; None: the file does not say."""

    @property
    def size(self) -> str:
        """Such as `512 x 400 pixels`, width first."""
        return f"{self.width} x {self.height} pixels"


def header(path: Path, *, scale: float | None = None) -> Header:
    """Read what the file says of itself; `scale` wins over what it says.

    Raises:
        SourceError: not a raster that can be read, complex numbers, bands that state
            different scales, or whole numbers of which no scale is known.
    """
    with _opened(path) as file:
        chosen = _colours(file)
        kind = str(np.result_type(*(file.dtypes[index - 1] for index in chosen)))
        factor, offset = _scaling(file, chosen, kind, path, scale)
        return Header(
            path=path,
            height=file.height,
            width=file.width,
            bands=_names(file, chosen, kind),
            scale=factor,
            offset=offset,
            frame=_frame(file),
        )


def pixels(head: Header) -> NDArray[np.float32]:
    """(band, y, x) values as of reflectance, NaN where the file says there is nothing.

    Raises:
        SourceError: what is stored there cannot be decoded.
    """
    with _opened(head.path) as file:
        chosen = _colours(file)
        numbers, mask = _read(file, head.path, chosen)
    out = numbers.astype(np.float32) * np.float32(head.scale) + np.float32(head.offset)
    there = mask & np.isfinite(out).all(axis=0)
    out[:, ~there] = np.nan
    return out


def classes(head: Header) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """(y, x) numbers of a label raster's first band, and where there are any.

    Raises:
        SourceError: as `pixels`, or numbers that are not whole.
    """
    with _opened(head.path) as file:
        (numbers,), mask = _read(file, head.path, [1])
        # A label's 0 is background, also where a writer has called it nodata.
        there = mask | (numbers == 0)
    if numbers.dtype.kind == "f" and not np.array_equal(
        numbers[there], np.floor(numbers[there])
    ):
        raise SourceError(
            f"{head.path}: expected whole numbers in a label, got fractions; write 0 for "
            "background and a whole number from 2 for each category"
        )
    return np.where(there, numbers, 0).astype(np.int32), there


def _opened(path: Path) -> Any:  # noqa: ANN401 - rasterio has no types
    try:
        with gdal(), warnings.catch_warnings():
            # Images without a place on the ground are common here, and allowed.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path)
    except (RasterioError, OSError) as error:
        raise _damaged(path, error) from error


def _read(
    file: Any,  # noqa: ANN401 - rasterio has no types
    path: Path,
    chosen: list[int],
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    try:
        return file.read(chosen), file.dataset_mask() > 0
    except (RasterioError, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> SourceError:
    while error.__cause__ is not None:
        error = error.__cause__
    return SourceError(
        f"{path}: expected a readable raster, got: {' '.join(str(error).split())}; the "
        "file is damaged or incomplete, fetch it again"
    )


def _colours(file: Any) -> list[int]:  # noqa: ANN401 - rasterio has no types
    """Numbers of the bands that are no alpha channel."""
    return [
        index
        for index, meaning in zip(file.indexes, file.colorinterp, strict=True)
        if meaning != ColorInterp.alpha
    ]


def _names(file: Any, chosen: list[int], kind: str) -> tuple[str, ...]:  # noqa: ANN401
    said = [file.descriptions[index - 1] or "" for index in chosen]
    meanings = [file.colorinterp[index - 1].name for index in chosen]
    if not any(said) and len(chosen) == 3 and kind == "uint8":
        return _RGB
    sensor = known_bands.SENTINEL2 if all(map(known_bands.number, said)) else ""
    out = []
    for number, (label, meaning) in enumerate(
        zip(said, meanings, strict=True), start=1
    ):
        name = known_bands.canonical(label, sensor=sensor) if label else meaning
        out.append(name if label or name in BANDS else f"band{number}")
    return tuple(out)


def _scaling(
    file: Any,  # noqa: ANN401 - rasterio has no types
    chosen: list[int],
    kind: str,
    path: Path,
    scale: float | None,
) -> tuple[float, float]:
    stated = {(file.scales[index - 1], file.offsets[index - 1]) for index in chosen}
    if kind.startswith("complex"):
        raise SourceError(f"{path}: expected real numbers, got {kind}")
    if scale is not None:
        return scale, 0.0
    if len(stated) > 1:
        raise SourceError(
            f"{path}: expected one scale for all bands, got {len(stated)}; pass --scale"
        )
    ((factor, offset),) = stated
    if (factor, offset) != (1.0, 0.0) or kind.startswith("float"):
        return float(factor), float(offset)
    if kind not in _SCALES:
        raise SourceError(
            f"{path}: expected bytes, 16-bit reflectance x 10000, floats or a stated "
            f"scale, got {kind}; pass --scale"
        )
    return _SCALES[kind], 0.0


def _frame(file: Any) -> Frame | None:  # noqa: ANN401 - rasterio has no types
    if file.transform.is_identity or not file.crs:
        return None
    code = file.crs.to_epsg()
    crs = f"EPSG:{code}" if code else file.crs.to_wkt()
    return Frame(crs, tuple(file.transform)[:6], file.width, file.height)
