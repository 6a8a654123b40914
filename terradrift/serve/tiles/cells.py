"""Far out: rows of a tile by the cells of a fixed grid on the screen (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.serve.columns.mercator import BITS, WORLD
from terradrift.serve.columns.squares import Squares, bounds, middles
from terradrift.serve.tiles.place import EXTENT, Place

LEVELS = 6
"""2 ** 6 = 64 cells across a tile, of 8 px: at most 4,096 in a tile."""
CELL = EXTENT >> LEVELS


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """`c` cells that hold rows, along the curve; no row is in two, none in another tile."""

    rows: NDArray[np.int64]
    """(m,) all rows, cell by cell."""
    starts: NDArray[np.int64]
    """(c,) where each cell begins in `rows`."""

    @property
    def count(self) -> NDArray[np.int64]:
        """(c,) rows of each."""
        return np.diff(self.starts, append=len(self.rows))

    def least(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """(c,) least of the values (n,) of the rows of each."""
        if not len(self.rows):
            return values[:0]
        return np.asarray(np.minimum.reduceat(values[self.rows], self.starts))

    def patches(self, key: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(c,) different patches of each, of the places (n,) of the rows along the curve."""
        if not len(self.rows):
            return np.zeros(0, np.int64)
        here = key[self.rows]
        new = np.ones(len(here), np.int64)
        new[1:] = here[1:] != here[:-1]
        new[self.starts] = 1
        return np.asarray(np.add.reduceat(new, self.starts))


def of(squares: Squares, place: Place, passes: NDArray[np.bool_] | None) -> Cells:
    """The cells of a tile: rows whose middle lies there and that pass."""
    run = squares.run(place.zoom, place.x, place.y)
    if passes is None:
        rows = np.arange(run.start, run.stop)
    else:
        rows = np.flatnonzero(passes[run]) + run.start
    shift = np.uint64(2 * max(BITS - place.zoom - LEVELS, 0))
    cell = squares.key[rows] >> shift
    first = np.ones(len(rows), bool)
    first[1:] = cell[1:] != cell[:-1]
    return Cells(rows, np.flatnonzero(first))


def middle(
    squares: Squares, place: Place, rows: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(c, 2) middle of the patch of each row, in whole numbers of the tile."""
    low, high = bounds(squares.corners[rows])
    at = middles(low, high) % np.array([WORLD, WORLD])
    inside = at - np.array([place.west, place.north])
    return np.asarray(inside * EXTENT // place.size, np.float64)


def corner(
    squares: Squares, place: Place, rows: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(c, 2) corner of the cell of each row, in whole numbers of the tile."""
    return middle(squares, place, rows) // CELL * CELL
