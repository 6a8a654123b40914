"""Labels in a raster: 0 unchanged, ignored values unknown, others a class or a change."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import rasterio.errors
import rasterio.windows
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.errors import SourceError
from terradrift.evaluate import fields
from terradrift.evaluate.cover import Cover, Patches
from terradrift.evaluate.labels import read_table
from terradrift.evaluate.truth import NOT_A_DAY, Objects

SUFFIXES = (".tif", ".tiff", ".vrt", ".img", ".jp2")
_IGNORED = 255
"""Unknown in a raster of bytes, as most label sets have it."""
_SIDES = (8, 64)
"""Fewest and most points along a side of a patch; between, two for every pixel."""
_POINTS = 1 << 21
_METRES_PER_DEGREE = 111_320.0
_TOUCHING = np.ones((3, 3), bool)
_UNKNOWN, _SAME = -1, -2
_Days = tuple[np.datetime64, np.datetime64]


def read_raster(
    path: Path,
    reading: fields.Reading,
    patches: Patches,
    period: tuple[np.datetime64, np.datetime64] | None = None,
) -> Cover:
    """Count the labels of a raster in every patch, at a lattice of points.

    An object is a connected piece of one value (corners connect). Ground outside the raster
    is unknown; so is a change that is dated outside the `period` (first and last day).

    Raises:
        SourceError: unreadable, without a CRS, not whole numbers, or away from the archive.
    """
    pixels, transform, crs, notes = _read(path, reading, patches)
    where, value = _regions(pixels)
    kind, onset, latest = _terms(value, reading, notes)
    unseen = np.zeros(len(value), bool)
    if period is not None:
        unseen = (latest < period[0]) | (onset > period[1])
        if unseen.any():
            notes.append(
                f"{unseen.sum():,} labels are dated outside the archive's period: "
                "not known here"
            )
    n = len(patches)
    changed, unknown = np.zeros(n), np.zeros(n)
    parts = []
    for rows, found in _sampled(where, transform, crs, patches):
        lost = (found == _UNKNOWN) | np.isin(found, np.flatnonzero(unseen))
        unknown[rows] = lost.mean(axis=1)
        hit = (found >= 0) & ~lost
        changed[rows] = hit.mean(axis=1)
        parts.append(_counts(rows, np.where(hit, found, -1)))
    patch, region, share = (np.concatenate(each) for each in zip(*parts, strict=True))
    held, number = np.unique(region, return_inverse=True)
    notes.append("ground outside the raster is unknown")
    name = np.array([f"{value[each]}:{each + 1}" for each in held], np.str_)
    objects = Objects(name, kind[held], onset[held], latest[held], number, patch, share)
    return Cover(objects, changed, unknown, tuple(notes))


def _read(
    path: Path, reading: fields.Reading, patches: Patches
) -> tuple[NDArray[np.int64], Affine, pyproj.CRS, list[str]]:
    """Labels where the archive is, `_UNKNOWN` and `_SAME` among them."""
    try:
        with rasterio.open(path) as source:
            if source.crs is None:
                raise SourceError(f"labels {path} state no CRS; save them with one")
            crs = pyproj.CRS.from_wkt(source.crs.to_wkt())
            window = _window(source, crs, patches, path)
            held = source.read(1, window=window)
            transform = source.transform @ Affine.translation(
                window.col_off, window.row_off
            )
            nodata, count = source.nodata, source.count
    except (OSError, rasterio.errors.RasterioError) as error:
        raise SourceError(f"cannot read labels {path}: {error}") from error
    notes = [f"of {count} bands the first is read"] if count > 1 else []
    ignored = [*reading.ignore]
    if held.dtype == np.uint8:
        ignored.append(_IGNORED)
    if nodata is not None and nodata != 0:
        ignored.append(nodata)
    elif nodata == 0 and 0 not in ignored:
        notes.append("0 is taken as unchanged, though the file calls it nodata")
    missing = np.isin(held, ignored) | ~np.isfinite(held)
    whole = np.where(missing, 0, held)
    if (whole != np.floor(whole)).any() or (whole < 0).any():
        raise SourceError(
            f"expected whole numbers from 0 on in {path}, got "
            f"{whole[(whole != np.floor(whole)) | (whole < 0)][0]:g}; "
            "pass --ignore-value where it says that nothing is known"
        )
    labels = whole.astype(np.int64)
    labels[labels == 0] = _SAME
    labels[missing] = _UNKNOWN
    return labels, transform, crs, notes


def _window(
    source: rasterio.DatasetReader, crs: pyproj.CRS, patches: Patches, path: Path
) -> rasterio.windows.Window:
    """The part of the raster that the patches need."""
    boxes = []
    for epsg in np.unique(patches.cells[:, 0]).tolist():
        rows = patches.cells[patches.cells[:, 0] == epsg, 1:] * float(patches.size)
        (south, west), (north, east) = rows.min(axis=0), rows.max(axis=0) + patches.size
        to = pyproj.Transformer.from_crs(epsg, crs, always_xy=True)
        boxes.append(to.transform_bounds(west, south, east, north))
    low, high = np.array(boxes)[:, :2].min(axis=0), np.array(boxes)[:, 2:].max(axis=0)
    x, y = np.meshgrid((low[0], high[0]), (low[1], high[1]))
    corners = np.stack(_pixels(source.transform, x.ravel(), y.ravel()), axis=1)
    first = np.floor(corners.min(axis=0)).astype(int).clip(0)
    last = (
        np.ceil(corners.max(axis=0))
        .astype(int)
        .clip(None, (source.width, source.height))
    )
    if (first >= last).any():
        raise SourceError(f"labels {path} do not meet the archive's patches")
    width, height = last - first
    return rasterio.windows.Window(first[0], first[1], width, height)


def _regions(
    labels: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of the connected piece of each pixel, and the value (m,) of each piece."""
    where = np.minimum(labels, 0)
    positive = labels > 0
    values, place = np.unique(labels[positive], return_inverse=True)
    index = np.zeros(labels.shape, np.int64)
    index[positive] = place + 1
    of: list[int] = []
    # Each value is labelled in its own box: there may be thousands of small ones.
    for number, box in enumerate(ndimage.find_objects(index), start=1):
        pieces, count = ndimage.label(index[box] == number, structure=_TOUCHING)
        inside = pieces > 0
        where[box][inside] = pieces[inside] - 1 + len(of)
        of += [int(values[number - 1])] * count
    return where, np.array(of, np.int64)


def _terms(
    value: NDArray[np.int64], reading: fields.Reading, notes: list[str]
) -> tuple[NDArray[np.str_], NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Kind and first and last day of each piece (m,)."""
    kinds = {int(each): "" for each in value}
    if len(kinds) > 1:
        kinds = {each: str(each) for each in kinds}
    dates: dict[int, _Days] = dict.fromkeys(kinds, (NOT_A_DAY, NOT_A_DAY))
    if reading.values is not None:
        _from_table(reading.values, kinds, dates)
    elif reading.date is not None:
        first, last = fields.days([reading.date], "--date")
        dates = dict.fromkeys(kinds, (first[0], last[0]))
    else:
        notes.append("labels have no dates (--date, --values): onsets cannot be judged")
    each = value.tolist()
    return (
        np.array([kinds[one] for one in each], np.str_),
        np.array([dates[one][0] for one in each], "datetime64[D]"),
        np.array([dates[one][1] for one in each], "datetime64[D]"),
    )


def _from_table(
    path: Path,
    kinds: dict[int, str],
    dates: dict[int, _Days],
) -> None:
    """Fill in class and date of values from a table."""
    table = read_table(path)
    name = fields.column(table, ("value",))
    day = fields.column(table, fields.DATES)
    kind = fields.column(table, fields.CLASSES)
    if name is None or (day is None and kind is None):
        raise SourceError(
            f"expected columns value and date, class or both in {path}, got "
            f"{', '.join(map(str, table.columns))}"
        )
    rows = [int(each) for each in table[name]]
    if lacking := sorted(set(kinds) - set(rows)):
        raise SourceError(f"{path} has no row for the value {lacking[0]} of the raster")
    if kind is not None:
        kinds |= {
            row: str(each)
            for row, each in zip(rows, table[kind], strict=True)
            if row in kinds
        }
    if day is not None:
        first, last = fields.days(table[day], f"{day} of {path}")
        dates |= dict(zip(rows, zip(first, last, strict=True), strict=True))


def _sampled(
    where: NDArray[np.int64], transform: Affine, crs: pyproj.CRS, patches: Patches
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows of patches (k,), and the piece at each of their points (k, s * s)."""
    side = int(np.clip(np.ceil(2 * patches.size / _pixel(transform, crs)), *_SIDES))
    offset = (np.arange(side) + 0.5) / side
    down, along = (axis.ravel() for axis in np.meshgrid(offset, offset, indexing="ij"))
    step = max(1, _POINTS // side**2)
    for epsg in np.unique(patches.cells[:, 0]).tolist():
        to = pyproj.Transformer.from_crs(epsg, crs, always_xy=True)
        own = np.flatnonzero(patches.cells[:, 0] == epsg)
        for start in range(0, len(own), step):
            rows = own[start : start + step]
            y = (patches.cells[rows, 1, None] + down) * patches.size
            x = (patches.cells[rows, 2, None] + along) * patches.size
            col, row = _pixels(transform, *to.transform(x.ravel(), y.ravel()))
            col, row = np.floor(col).astype(np.int64), np.floor(row).astype(np.int64)
            height, width = where.shape
            inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
            found = np.full(len(row), _UNKNOWN)
            found[inside] = where[row[inside], col[inside]]
            yield rows, found.reshape(x.shape)


def _pixels(
    transform: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns and rows of places, with fractions."""
    a, b, c, d, e, f = tuple(~transform)[:6]
    return a * x + b * y + c, d * x + e * y + f


def _pixel(transform: Affine, crs: pyproj.CRS) -> float:
    """Metres of a pixel's shorter side, about."""
    sides = np.hypot(*np.array(transform)[[[0, 1], [3, 4]]])
    if crs.is_geographic:
        latitude = np.radians(transform.f)
        sides = np.array([abs(transform.a) * np.cos(latitude), abs(transform.e)])
        return float(sides.min() * _METRES_PER_DEGREE)
    return float(sides.min()) * crs.axis_info[0].unit_conversion_factor


def _counts(
    rows: NDArray[np.int64], found: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Patch, piece and share of each pair that meets; -1 is no piece."""
    some = found >= 0
    at = np.nonzero(some)[0]
    keys = np.stack([rows[at], found[some]])
    pairs, count = np.unique(keys, axis=1, return_counts=True)
    return pairs[0], pairs[1], count / found.shape[1]
