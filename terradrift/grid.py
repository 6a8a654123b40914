"""The fixed layout of patches on the ground: ids, tiles, bounds (pure but for pyproj).

A grid is anchored at the origin of its CRS, so a place has the same `patch_id` in every
archive with the same patch size. With `crs="utm"` every place belongs to the UTM zone of
its patch centre's longitude, so ground that two zones' scenes cover has one patch.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyproj
    from numpy.typing import NDArray

TILE_PATCHES = 32
"""Patches per side of a tile, the unit in which the archive is read and sorted; of large
patches fewer, see `tile_patches`."""

_TILE_PX = 2048
"""Pixels per tile side, at most, unless one patch has more: what is in memory at a time."""

_PATCH_ID = re.compile(r"(\d+)_(\d+)m_(-?\d+)_(-?\d+)$")
_MAX_MERCATOR_LATITUDE = 84.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Squares of `patch_size` metres, seen at `gsd` metres per pixel.

    `crs` is `"utm"` (each place in its own zone) or one projected CRS in metres such as
    `"EPSG:3035"`. `gsd` None means: that of the first scene's finest band.
    """

    patch_size: int = 160
    gsd: float | None = None
    crs: str = "utm"

    def __post_init__(self) -> None:
        if self.patch_size != int(self.patch_size) or self.patch_size <= 0:
            raise ValueError(
                f"patch size must be a whole number of metres above 0, got {self.patch_size}"
            )
        if self.gsd is not None:
            pixels = self.patch_size / self.gsd if self.gsd > 0 else 0.0
            if pixels < 1 or abs(pixels - round(pixels)) > 1e-6:
                raise ValueError(
                    f"patch size must be a whole number of pixels: {self.patch_size} m is "
                    f"{pixels:.2f} pixels of {self.gsd:g} m; "
                    f"pass --patch-size as a multiple of {self.gsd:g}, or another --gsd"
                )
        if self.crs != "utm":
            _metric(self.crs)

    @property
    def patch_px(self) -> int:
        """Pixels per patch side."""
        if self.gsd is None:
            raise ValueError("grid has no gsd yet: ingest a scene first, or pass gsd")
        return round(self.patch_size / self.gsd)

    @property
    def tile_patches(self) -> int:
        """Patches per tile side."""
        return TILE_PATCHES if self.gsd is None else tile_patches(self.patch_px)

    @property
    def tile_size(self) -> int:
        """Metres per tile side."""
        return self.patch_size * self.tile_patches

    def zones(self, west: float, south: float, east: float, north: float) -> list[int]:
        """EPSG codes of the CRSs that hold the patches of a box in degrees.

        `west` > `east` means the box crosses the antimeridian.

        Raises:
            ValueError: the box is not in degrees or reaches where UTM ends.
        """
        if not (-90 <= south <= north <= 90) or not all(
            -180 <= edge <= 180 for edge in (west, east)
        ):
            raise ValueError(
                "expected a box west,south,east,north in degrees, "
                f"got {west:g},{south:g},{east:g},{north:g}"
            )
        if self.crs != "utm":
            return [_metric(self.crs)]
        if north > _MAX_MERCATOR_LATITUDE or south < -80:
            raise ValueError(
                f"UTM ends at 84 N and 80 S, got latitudes {south:g} to {north:g}; "
                "pass a polar CRS in metres, for instance --crs EPSG:3995"
            )
        spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        numbers = sorted(
            {
                zone
                for first, last in spans
                for zone in range(utm_zone(first), utm_zone(last) + 1)
            }
        )
        halves = ([32600] if north >= 0 else []) + ([32700] if south < 0 else [])
        return [half + number for half in halves for number in numbers]

    def owns(
        self, epsg: int, lon: NDArray[np.float64], lat: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Which patch centres (degrees) belong to the zone `epsg` of this grid."""
        if self.crs != "utm":
            return np.ones(len(lon), bool)
        zone = np.clip(np.floor((lon + 180.0) / 6.0).astype(int) + 1, 1, 60)
        owned: NDArray[np.bool_] = zone + np.where(lat >= 0, 32600, 32700) == epsg
        return owned

    def cells(
        self, epsg: int, left: float, bottom: float, right: float, top: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the patches that a box in metres of `epsg` touches.

        Only patches that belong to the zone are given, in row-major order.
        """
        size = self.patch_size
        eps = 1e-6
        cols = np.arange(math.floor(left / size + eps), math.ceil(right / size - eps))
        rows = np.arange(math.floor(bottom / size + eps), math.ceil(top / size - eps))
        row, col = (axis.ravel() for axis in np.meshgrid(rows, cols, indexing="ij"))
        lonlat = self.centers(epsg, row, col)
        own = self.owns(epsg, lonlat[:, 0], lonlat[:, 1])
        return row[own], col[own]

    def centers(
        self, epsg: int, row: NDArray[np.int64], col: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(n, 2) longitude and latitude in degrees of patch centres."""
        return _lonlat(
            epsg, (col + 0.5) * self.patch_size, (row + 0.5) * self.patch_size
        )

    def corners(
        self, epsg: int, row: NDArray[np.int64], col: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(n, 4, 2) longitude and latitude of corners: SW, SE, NE, NW (counter-clockwise)."""
        x = (col[:, None] + np.array([0, 1, 1, 0])) * self.patch_size
        y = (row[:, None] + np.array([0, 0, 1, 1])) * self.patch_size
        return _lonlat(epsg, x.ravel(), y.ravel()).reshape(-1, 4, 2)

    def patch_ids(
        self, epsg: int, row: NDArray[np.int64], col: NDArray[np.int64]
    ) -> NDArray[np.str_]:
        """(n,) ids such as `32631_40m_12534_140742`: CRS, size, column, row."""
        return np.array(
            [
                f"{epsg}_{self.patch_size}m_{c}_{r}"
                for r, c in zip(row, col, strict=True)
            ],
            dtype=np.str_,
        )

    def tile_of(
        self, epsg: int, row: NDArray[np.int64], col: NDArray[np.int64]
    ) -> NDArray[np.str_]:
        """(n,) tile of each patch, such as `32631_40m_391_4398`."""
        side = self.tile_patches
        return self.patch_ids(epsg, row // side, col // side)

    def tile_cells(self, tile: str) -> tuple[int, int, int]:
        """EPSG, lowest row and lowest column of the patches of `tile`."""
        epsg, row, col = parse_id(tile)
        return epsg, row * self.tile_patches, col * self.tile_patches


def tile_patches(patch_px: int) -> int:
    """Patches per side of a tile of patches of so many pixels: 32, or a half, a quarter ...

    A tile has at most 2,048 pixels per side, so that an image of one fits in memory
    whatever the patch; or it is one patch.
    """
    side = TILE_PATCHES
    while side > 1 and side * patch_px > _TILE_PX:
        side //= 2
    return side


def parse_id(identifier: str) -> tuple[int, int, int]:
    """EPSG, row and column of a `patch_id` or a tile.

    Raises:
        ValueError: not of the form `EPSG_SIZEm_COL_ROW`.
    """
    match = _PATCH_ID.match(identifier)
    if match is None:
        raise ValueError(
            f"expected an id such as 32631_40m_12534_140742, got {identifier!r}"
        )
    return int(match[1]), int(match[4]), int(match[3])


def utm_zone(longitude: float) -> int:
    """UTM zone 1..60 of a longitude in degrees (plain six-degree bands)."""
    return min(60, max(1, math.floor((longitude + 180.0) / 6.0) + 1))


def _metric(crs: str) -> int:
    """EPSG code of a projected CRS in metres, or a ValueError that says what is wrong."""
    # Models run where pyproj is not installed.
    import pyproj

    try:
        parsed = pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise ValueError(
            f'expected a grid CRS such as "utm" or EPSG:3035, got {crs!r}'
        ) from error
    code = parsed.to_epsg()
    if code is None or not parsed.is_projected:
        raise ValueError(
            f'grid CRS must be "utm" or a projected EPSG code, got {crs!r}'
        )
    if parsed.axis_info[0].unit_conversion_factor != 1.0:
        raise ValueError(
            f"grid CRS must be in metres, got {crs!r} in {parsed.axis_info[0].unit_name}"
        )
    return code


def _lonlat(
    epsg: int, x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(n, 2) longitude and latitude in degrees of metres in `epsg`."""
    # pyproj 3.7 turns arrays of length 1 into scalars in a way that NumPy deprecates, so
    # the last point goes in twice.
    lon, lat = _to_lonlat(epsg).transform(
        np.append(x, x[-1:]), np.append(y, y[-1:]), errcheck=True
    )
    return np.column_stack([lon, lat])[: len(x)]


@lru_cache(maxsize=256)
def _to_lonlat(epsg: int) -> pyproj.Transformer:
    import pyproj

    return pyproj.Transformer.from_crs(epsg, 4326, always_xy=True)
