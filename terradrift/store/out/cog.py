"""Rasters of patches written window by window, and made Cloud-Optimised GeoTIFFs of.

Overviews are our own: of four patches the one with the highest first band stands for all.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.windows import Window

from terradrift.store.out.virtual import Band, virtual
from terradrift.store.out.zone import Zone

_BLOCK = 256
_WINDOW = 2048
"""Pixels per side that are held while overviews are made; even."""


class Canvases:
    """A raster of NaN per CRS, into which windows are put; `finish` makes COGs of them."""

    def __init__(
        self, folder: Path, of_zone: Mapping[int, Zone], bands: Sequence[Band]
    ) -> None:
        self._folder = folder
        self._zones = of_zone
        self._bands = bands
        self._open: dict[int, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._open.values():
            file.close()
        for left in self._folder.iterdir():
            left.unlink()

    def put(self, epsg: int, corner: tuple[int, int], pixels: NDArray[Any]) -> None:
        """Put (band, y, x) pixels at the row and column `corner`."""
        if epsg not in self._open:
            zone = self._zones[epsg]
            path = self._level(epsg, 0)
            self._open[epsg] = _begin(
                path, zone, zone.shape, len(self._bands), "float32"
            )
        _, height, width = pixels.shape
        window = Window(corner[1], corner[0], width, height)
        self._open[epsg].write(pixels, window=window)

    def finish(self, made: Path) -> dict[int, Path]:
        """Write a COG for each CRS into `made`; by EPSG code."""
        found = {}
        for epsg, file in list(self._open.items()):
            file.close()
            levels = [self._level(epsg, 0)]
            shape = self._zones[epsg].shape
            while max(shape) > _BLOCK:
                shape = (-(-shape[0] // 2), -(-shape[1] // 2))
                path = self._level(epsg, len(levels))
                _halve(levels[-1], path, self._zones[epsg], shape, len(self._bands))
                levels.append(path)
            found[epsg] = made / f".{epsg}.tif"
            _cog(levels, found[epsg], self._bands)
        return found

    def _level(self, epsg: int, number: int) -> Path:
        return self._folder / f"{epsg}_{number}.tif"


def coloured(
    source: Path, band: int, target: Path, names: Sequence[tuple[int, str]]
) -> None:
    """Write one band of a COG, counted from 0, as classes with a colour table.

    Values are the numbers themselves; nodata is the highest that the type holds. Names of
    the classes are tags of the band, `CLASS_1` and so on.
    """
    largest = max((number for number, _ in names), default=0)
    dtype = "uint8" if largest < np.iinfo(np.uint8).max else "uint16"
    nodata = int(np.iinfo(dtype).max)
    levels = []
    try:
        with rasterio.open(source) as file:
            factors = [1, *file.overviews(band + 1)]
        for at, _ in enumerate(factors):
            options = {} if at == 0 else {"overview_level": at - 1}
            with rasterio.open(source, **options) as file:
                path = target.with_name(f".{target.stem}_{at}.tif")
                levels.append(path)
                profile = {
                    "driver": "GTiff",
                    "count": 1,
                    "height": file.height,
                    "width": file.width,
                    "dtype": dtype,
                    "crs": file.crs,
                    "transform": file.transform,
                    "nodata": nodata,
                    **_tiled(),
                }
                with rasterio.open(path, "w", **profile) as written:
                    for window in _windows((file.height, file.width), _WINDOW):
                        values = file.read(band + 1, window=window)
                        codes = np.where(np.isfinite(values), values, nodata)
                        written.write(codes.astype(dtype), 1, window=window)
        _cog(
            levels,
            target,
            [Band("kind", "", "kind of the strongest reported change")],
            names=names,
        )
    finally:
        for path in levels:
            path.unlink(missing_ok=True)


def _tiled() -> dict[str, Any]:
    return {
        "tiled": True,
        "blockxsize": _BLOCK,
        "blockysize": _BLOCK,
        "interleave": "band",
        "sparse_ok": True,
        "bigtiff": "if_safer",
    }


def _begin(
    path: Path, zone: Zone, shape: tuple[int, int], bands: int, dtype: str
) -> Any:  # noqa: ANN401 - rasterio states no type
    size, _, west, _, _, north = zone.transform
    scale = size * zone.shape[0] / shape[0]
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=bands,
        height=shape[0],
        width=shape[1],
        dtype=dtype,
        crs=f"EPSG:{zone.epsg}",
        transform=Affine(scale, 0.0, west, 0.0, -scale, north),
        nodata=float("nan"),
        **_tiled(),
    )


def _windows(shape: tuple[int, int], side: int) -> Iterator[Window]:
    height, width = shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield Window(left, top, min(side, width - left), min(side, height - top))


def _halve(
    source: Path, target: Path, zone: Zone, shape: tuple[int, int], bands: int
) -> None:
    """Write a level of half the size."""
    with (
        rasterio.open(source) as finer,
        _begin(target, zone, shape, bands, "float32") as coarser,
    ):
        for window in _windows((finer.height, finer.width), _WINDOW):
            values = strongest(finer.read(window=window))
            at = Window(
                window.col_off // 2,
                window.row_off // 2,
                values.shape[2],
                values.shape[1],
            )
            coarser.write(values, window=at)


def strongest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(b, ceil(y / 2), ceil(x / 2)) of (b, y, x): of four pixels the highest first band's.

    All bands are that pixel's. One without a first band counts least, and one without any
    band counts only where all are without.
    """
    bands, height, width = values.shape
    padded = np.pad(
        values,
        ((0, 0), (0, height % 2), (0, width % 2)),
        constant_values=np.nan,
    )
    _, height, width = padded.shape
    four = padded.reshape(bands, height // 2, 2, width // 2, 2)
    four = four.transpose(0, 1, 3, 2, 4).reshape(bands, height // 2, width // 2, 4)
    seen = np.isfinite(four).any(axis=0)
    rank = np.where(np.isfinite(four[0]), four[0], -np.inf)
    best = np.lexsort((rank, seen), axis=-1)[..., -1]
    found: NDArray[np.float32] = np.take_along_axis(
        four, np.broadcast_to(best[None, ..., None], (bands, *best.shape, 1)), axis=-1
    )[..., 0]
    return found


def _cog(
    levels: Sequence[Path],
    target: Path,
    bands: Sequence[Band],
    names: Sequence[tuple[int, str]] | None = None,
) -> None:
    """Make a COG of a raster and its overviews, level by level."""
    vrt = target.with_suffix(".vrt")
    vrt.write_text(virtual(levels, bands, names))
    with rasterio.open(vrt) as file:
        has_overviews = bool(file.overviews(1))
    try:
        rasterio.shutil.copy(
            vrt,
            target,
            driver="COG",
            compress="deflate",
            predictor="no" if names is not None else "yes",
            blocksize=_BLOCK,
            overviews="force_use_existing" if has_overviews else "none",
            bigtiff="if_safer",
        )
    finally:
        vrt.unlink()
