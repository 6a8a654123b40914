"""A raster of embeddings on disk: GeoTIFF, or TESSERA's arrays with a grid beside them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.warp import transform_bounds

from terradrift.errors import SchemaError
from terradrift.store.published import when
from terradrift.store.published.files import File
from terradrift.store.rasters import products, where
from terradrift.store.rasters.products import Product, Seen
from terradrift.store.rasters.where import Where, reading
from terradrift.store.rasters.windows import Numbers, Tiff

_SCALES = "_scales"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Raster:
    """A file that was recognised, none of whose pixels are read."""

    file: File
    scene: str
    product: Product
    crs: CRS
    transform: Affine
    height: int
    width: int
    time: int
    """Microseconds since 1970; the middle of its year."""
    told_by: str
    identity: dict[str, str]
    scales: Path | None

    @property
    def wkt(self) -> str:
        """Its CRS."""
        return str(self.crs.to_wkt())

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top in the raster's CRS, whichever way its rows run."""
        x, y = zip(
            *(
                self.transform @ (col, row)
                for row in (0, self.height)
                for col in (0, self.width)
            ),
            strict=True,
        )
        return min(x), min(y), max(x), max(y)

    @property
    def degrees(self) -> tuple[float, float, float, float]:
        """West, south, east and north; west beyond east across the antimeridian."""
        return tuple(transform_bounds(self.crs, CRS.from_epsg(4326), *self.bounds))

    @contextmanager
    def opened(self) -> Iterator["Reader"]:
        """The file, to read windows of.

        Raises:
            ArchiveError: it cannot be read.
        """
        with reading(self.file.path):
            if self.file.path.suffix.lower() == ".npy":
                numbers = np.load(self.file.path, mmap_mode="r", allow_pickle=False)
                scales = np.load(str(self.scales), mmap_mode="r", allow_pickle=False)
                yield Reader(self, Numbers(numbers), Numbers(scales))
                return
            with rasterio.open(self.file.path) as numbers:
                if self.scales is None:
                    yield Reader(self, Tiff(numbers), None)
                    return
                with rasterio.open(self.scales) as scales:
                    yield Reader(self, Tiff(numbers), Tiff(scales))


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Windows of an open raster."""

    raster: Raster
    numbers: Tiff | Numbers
    scales: Tiff | Numbers | None

    def window(
        self, rows: slice, cols: slice
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(d, h, w) vectors and (h, w) which pixels have one; rows as they are stored.

        Raises:
            ArchiveError: they cannot be read.
        """
        with reading(self.raster.file.path):
            numbers = self.numbers.read(rows, cols)
            scale = None if self.scales is None else self.scales.read(rows, cols)
            shown = self.numbers.shown(rows, cols)
        found, good = products.vectors(self.raster.product, numbers, scale)
        if shown is not None:
            good &= shown
            found[:, ~good] = 0
        return found, good


def is_scales(path: Path) -> bool:
    """Whether a file holds the scales of another."""
    return path.stem.endswith(_SCALES)


def raster(
    file: File, *, form: str | None, model: str | None, date: str | None
) -> Raster:
    """A file as a raster of embeddings.

    Args:
        file: a GeoTIFF, or an array of TESSERA.
        form: one of `products.NAMES`; None: by bands and numbers.
        model: what to call what made the vectors; None: as the product says.
        date: where nothing says when.

    Raises:
        ArchiveError: it cannot be read.
        SchemaError: no vectors, no place, or nothing says when.
    """
    path = file.path
    beside = (path.with_name(f"{path.stem}{_SCALES}{path.suffix}"),)
    scales = next((one for one in beside if one.exists()), None)
    array = path.suffix.lower() == ".npy"
    seen, there, tags = (_array if array else _tiff)(path, scales=scales is not None)
    if array and scales is None:
        raise SchemaError(
            f"{path} has no scales beside it, which make vectors of its bytes: expected "
            f"{beside[0].name}"
        )
    default = products.TESSERA if array else products.recognised(seen)
    how = products.product(form or default, seen, str(path))
    if scales is not None and how.scaled:
        _alike(path, scales, there)
    time, told_by = _when(file, tags, date)
    return Raster(
        file=file,
        scene=file.scene,
        product=how,
        crs=there.crs,
        transform=there.transform,
        height=there.height,
        width=there.width,
        time=time,
        told_by=told_by,
        identity=products.identity(how, tags, model, str(path)),
        scales=scales if how.scaled else None,
    )


def _alike(path: Path, scales: Path, there: Where) -> None:
    """Hold scales to the pixels of their raster."""
    with reading(scales):
        if scales.suffix.lower() == ".npy":
            shape = np.load(scales, mmap_mode="r", allow_pickle=False).shape[:2]
            same = True
        else:
            with rasterio.open(scales) as opened:
                shape, same = (
                    opened.shape,
                    opened.transform.almost_equals(there.transform),
                )
    if shape != (there.height, there.width) or not same:
        raise SchemaError(
            f"{scales} has {' x '.join(map(str, shape))} pixels{'' if same else ' elsewhere'}, "
            f"{path} {there.height} x {there.width}; they do not belong together"
        )


def _array(path: Path, *, scales: bool) -> tuple[Seen, Where, dict[str, str]]:
    with reading(path):
        numbers = np.load(path, mmap_mode="r", allow_pickle=False)
    if numbers.ndim != 3:
        raise SchemaError(
            f"expected an array of height, width and 128 values, {path} has shape "
            f"{numbers.shape}"
        )
    height, width, bands = numbers.shape
    seen = Seen(
        bands=int(bands),
        dtype=numbers.dtype.name,
        nodata=None,
        described=(),
        named=True,
        scales=scales,
    )
    crs, transform = where.tessera(path, height, width)
    return seen, Where(crs, transform, int(height), int(width)), {}


def _tiff(path: Path, *, scales: bool) -> tuple[Seen, Where, dict[str, str]]:
    with reading(path), rasterio.open(path) as opened:
        there = Where(opened.crs, opened.transform, opened.height, opened.width)
        tags = dict(opened.tags())
        alpha = ColorInterp.alpha in opened.colorinterp
        plain = set(opened.scales) == {1.0} and set(opened.offsets) == {0.0}
        seen = Seen(
            bands=opened.count,
            dtype=opened.dtypes[0],
            nodata=opened.nodata,
            described=opened.descriptions,
            named=any(key.startswith("TESSERA") for key in tags)
            or where.TILE.search(path.stem) is not None,
            scales=scales,
        )
    if alpha or not plain:
        what = "an alpha band" if alpha else "scales or offsets of its bands"
        raise SchemaError(
            f"{path} has {what}, which are no part of a vector; write it without "
            f"({'gdal_translate -b' if alpha else 'gdal_translate -unscale'})"
        )
    if there.crs is None or there.transform.is_identity:
        raise SchemaError(
            f"{path} does not say where it lies: it has no CRS or transform"
        )
    return seen, there, tags


def _when(file: File, tags: Mapping[str, str], date: str | None) -> tuple[int, str]:
    for key in ("YEAR", "year", "TESSERA_YEAR"):
        if tags.get(key):
            return when.middle(tags[key], f"the tag {key} of {file.path}"), "its tags"
    said: dict[str, Any] = {key.lower(): value for key, value in tags.items()}
    if "system:time_start" in said and "system:time_end" in said:
        said |= {"start": said["system:time_start"], "end": said["system:time_end"]}
    time, told_by = when.of_file(file, said, date)
    if time is None:
        raise SchemaError(
            f"{file.path} does not say when: no tag YEAR, no STAC item beside it, and not one "
            "year in its name or folder; pass --date"
        )
    return time, told_by
