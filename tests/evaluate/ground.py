"""Ground of plain squares in one UTM zone, for labels to lie on."""

import numpy as np

from terradrift.evaluate.cover import Patches
from terradrift.grid import Grid

EPSG = 32631
SIZE = 40
ROW, COL = 140_000, 12_500


def patches(rows: int, cols: int, epsg: int = EPSG) -> Patches:
    """A rectangle of patches, row-major from the south-west."""
    row, col = (
        axis.ravel() for axis in np.meshgrid(range(rows), range(cols), indexing="ij")
    )
    row, col = row + ROW, col + COL
    cells = np.column_stack([np.full(len(row), epsg), row, col])
    return Patches(Grid(SIZE).patch_ids(epsg, row, col), cells, SIZE)
