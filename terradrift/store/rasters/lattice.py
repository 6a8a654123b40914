"""Pixels of rasters on the pixels of a tile, whichever way their rows run.

A tile's pixel takes the raster's pixel that its middle lies in. Where the raster is of the
tile's CRS and its pixels stand on the grid's, as AlphaEarth's and TESSERA's do on 10 m, that
is the very same pixel; elsewhere it is at most half a pixel's diagonal off.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

from terradrift.store.rasters.source import Reader


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Pixels of a part of a tile, to be filled."""

    epsg: int
    x: NDArray[np.floating]
    """(w,), middles of its columns, metres."""
    y: NDArray[np.floating]
    """(h,), middles of its rows."""
    vectors: NDArray[np.float32]
    """(d, h, w)"""
    good: NDArray[np.bool_]
    """(h, w), which are there."""


def paste(reader: Reader, into: Pixels) -> tuple[int, int]:
    """Fill pixels that are not there yet.

    Returns:
        How many were filled; how many in the raster's box were there already.
    """
    raster = reader.raster
    if code(raster.wkt) == into.epsg and raster.transform.is_rectilinear:
        return _straight(reader, into)
    row, col = _pixels(raster.wkt, raster.transform, into)
    inside = (row >= 0) & (row < raster.height) & (col >= 0) & (col < raster.width)
    wanted = inside & ~into.good
    before = int((inside & into.good).sum())
    if not wanted.any():
        return 0, before
    top, left = int(row[wanted].min()), int(col[wanted].min())
    found, there = reader.window(
        slice(top, int(row[wanted].max()) + 1), slice(left, int(col[wanted].max()) + 1)
    )
    at = np.flatnonzero(wanted)
    from_ = (row.ravel()[at] - top, col.ravel()[at] - left)
    has = there[from_]
    at, from_ = at[has], (from_[0][has], from_[1][has])
    into.vectors.reshape(len(into.vectors), -1)[:, at] = found[:, from_[0], from_[1]]
    into.good.reshape(-1)[at] = True
    return len(at), before


def _straight(reader: Reader, into: Pixels) -> tuple[int, int]:
    """As `paste`, where rows and columns of both run along the same axes: by windows."""
    raster = reader.raster
    to = raster.transform
    row = np.floor((into.y - to.f) / to.e).astype(np.int64)
    col = np.floor((into.x - to.c) / to.a).astype(np.int64)
    high = np.flatnonzero((row >= 0) & (row < raster.height))
    wide = np.flatnonzero((col >= 0) & (col < raster.width))
    if not len(high) or not len(wide):
        return 0, 0
    here = slice(high[0], high[-1] + 1), slice(wide[0], wide[-1] + 1)
    before = int(into.good[here].sum())
    if before == into.good[here].size:
        return 0, before
    row, col = row[here[0]], col[here[1]]
    top, left = int(row.min()), int(col.min())
    found, there = reader.window(
        slice(top, int(row.max()) + 1), slice(left, int(col.max()) + 1)
    )
    found, there = (
        _along(_along(one, row - top, -2), col - left, -1) for one in (found, there)
    )
    take = there & ~into.good[here]
    target = into.vectors[:, here[0], here[1]]
    if take.all():
        target[:] = found
    else:
        target[:, take] = found[:, take]
    into.good[here] |= take
    return int(take.sum()), before


def _along(
    values: NDArray[np.generic], index: NDArray[np.int64], axis: int
) -> NDArray[Any]:
    """`values` at `index` along an axis; a view where all come in order, either way."""
    if len(index) == values.shape[axis]:
        step = np.diff(index)
        if (step == 1).all():
            return values
        if (step == -1).all():
            return np.flip(values, axis)
    return np.asarray(np.take(values, index, axis=axis))


def _pixels(
    wkt: str, transform: Affine, into: Pixels
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(h, w) rows and columns of the raster's pixels at the tile's."""
    across, up = np.meshgrid(into.x, into.y)
    if code(wkt) != into.epsg:
        across, up = _between(into.epsg, wkt).transform(across, up)
    back = ~transform
    col = np.floor(back.a * across + back.b * up + back.c)
    row = np.floor(back.d * across + back.e * up + back.f)
    limit = 2.0**31
    whole = [
        np.where(np.isfinite(axis), axis.clip(-limit, limit), -1).astype(np.int64)
        for axis in (row, col)
    ]
    return whole[0], whole[1]


@lru_cache(maxsize=256)
def code(wkt: str) -> int | None:
    """EPSG code of a CRS; None where it has none."""
    found = pyproj.CRS.from_wkt(wkt).to_epsg()
    return None if found is None else int(found)


@lru_cache(maxsize=256)
def _between(epsg: int, wkt: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(epsg, pyproj.CRS.from_wkt(wkt), always_xy=True)
