"""Which tile of the grid is read from which rasters, and when: the units of an import."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from terradrift.errors import SchemaError
from terradrift.grid import Grid
from terradrift.store.rasters.lattice import code
from terradrift.store.rasters.source import Raster


@dataclass(frozen=True, slots=True)
class Task:
    """One tile at one instant."""

    epsg: int
    row: int
    """Of the tile's lowest patches."""
    col: int
    tile: str
    time: int
    rasters: tuple[Raster, ...]
    """Those that touch it: of the tile's own zone first, then by name."""

    @property
    def scene(self) -> str:
        """What its observations are of."""
        names = "+".join(sorted(one.scene for one in self.rasters))
        day = np.datetime64(self.time, "us").astype("datetime64[D]")
        return f"{names}/{day}"


def tasks(rasters: Sequence[Raster], grid: Grid) -> Iterator[Task]:
    """Every tile that a raster touches, instant by instant, zone by zone, row by row.

    Raises:
        SchemaError: a raster beyond where the grid's CRS can be used.
    """
    met: dict[tuple[int, int, int, int], list[Raster]] = defaultdict(list)
    for raster in rasters:
        for epsg, row, col in _tiles(raster, grid):
            met[raster.time, epsg, row, col].append(raster)
    side = grid.tile_patches
    for time, epsg, row, col in sorted(met):
        first = grid.patch_ids(epsg, [row], [col])  # type: ignore[arg-type]  # iterated only
        here = sorted(
            met[time, epsg, row, col],
            key=lambda one: (code(one.wkt) != epsg, one.scene),
        )
        yield Task(epsg, row * side, col * side, str(first[0]), time, tuple(here))


def _tiles(raster: Raster, grid: Grid) -> Iterator[tuple[int, int, int]]:
    """EPSG code, row and column of tiles that a raster's box touches."""
    try:
        zones = grid.zones(*raster.degrees)
    except ValueError as error:
        raise SchemaError(f"{raster.file.path}: {error}") from error
    size = grid.tile_size
    for epsg in zones:
        box = raster.bounds
        if code(raster.wkt) != epsg:
            box = transform_bounds(raster.crs, CRS.from_epsg(epsg), *box)
        left, bottom, right, top = box
        for row in range(floor(bottom / size), ceil(top / size)):
            for col in range(floor(left / size), ceil(right / size)):
                yield epsg, row, col
