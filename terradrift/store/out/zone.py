"""Where the patches of one CRS lie as a raster: a pixel is a patch (pure)."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import grid as grids
from terradrift.grid import Grid


@dataclass(frozen=True, slots=True)
class Zone:
    """Whole tiles around all patches of one CRS, north up."""

    epsg: int
    side: int
    """Patches per tile side."""
    size: int
    """Metres per patch."""
    top: int
    """Row of tiles above all others."""
    left: int
    """Column of tiles."""
    tiles: tuple[int, int]
    """Rows and columns of tiles."""

    @property
    def shape(self) -> tuple[int, int]:
        """Patches: height and width."""
        return self.tiles[0] * self.side, self.tiles[1] * self.side

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine a..f from (column, row) of the raster to metres of the CRS."""
        size, span = float(self.size), self.side * self.size
        return (
            size,
            0.0,
            float(self.left * span),
            0.0,
            -size,
            float((self.top + 1) * span),
        )

    @property
    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(h,) northings and (w,) eastings of patch centres."""
        _, _, west, _, _, north = self.transform
        height, width = self.shape
        y = north - (np.arange(height, dtype=np.float64) + 0.5) * self.size
        x = west + (np.arange(width, dtype=np.float64) + 0.5) * self.size
        return np.asarray(y, np.float64), np.asarray(x, np.float64)

    def corner(self, tile: str) -> tuple[int, int]:
        """Row and column of the upper left patch of a tile."""
        _, row, col = grids.parse_id(tile)
        return (self.top - row) * self.side, (col - self.left) * self.side

    def within(self, tile: str, patch_ids: pa.ChunkedArray) -> NDArray[np.int64]:
        """(2, n) row and column of patches within their tile, from its upper left."""
        encoded = patch_ids.combine_chunks().dictionary_encode()
        cells = np.array(
            [grids.parse_id(str(one)) for one in encoded.dictionary], np.int64
        ).reshape(-1, 3)
        _, tile_row, tile_col = grids.parse_id(tile)
        row = (tile_row + 1) * self.side - 1 - cells[:, 1]
        col = cells[:, 2] - tile_col * self.side
        found: NDArray[np.int64] = np.stack([row, col])
        return found[:, encoded.indices.to_numpy(zero_copy_only=False)]


def zones(tiles: set[str], grid: Grid) -> dict[int, Zone]:
    """A zone per CRS around its tiles, by EPSG code."""
    cells = np.array([grids.parse_id(one) for one in sorted(tiles)], np.int64)
    found = {}
    for epsg in np.unique(cells.reshape(-1, 3)[:, 0]).tolist():
        _, row, col = cells[cells[:, 0] == epsg].T
        found[epsg] = Zone(
            epsg=epsg,
            side=grid.tile_patches,
            size=grid.patch_size,
            top=int(row.max()),
            left=int(col.min()),
            tiles=(int(np.ptp(row)) + 1, int(np.ptp(col)) + 1),
        )
    return found
