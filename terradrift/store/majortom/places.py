"""Which patch of an archive's grid each published fragment stands for.

Fragments of 224 pixels of 10 m begin every 2,110 m within a cell; cells begin about every
10 km on their own graticule, and overlap. No grid of squares meets that, so a fragment goes to
the patch that its centre lies in, and where two do the nearer to the patch's middle stays.
The patch keeps the fragment's own footprint (docs/decisions/0014).
"""

from dataclasses import dataclass

import numpy as np
import pyproj
from numpy.typing import NDArray

from terradrift.grid import Grid


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """`n` rows on a grid."""

    cells: NDArray[np.int64]
    """(n, 3), EPSG code, row and column of the patch."""
    footprint: NDArray[np.float64]
    """(n, 4, 2), longitude and latitude of the fragment's corners: SW, SE, NE, NW."""
    center: NDArray[np.float64]
    """(n, 2), longitude and latitude of its centre."""
    off: NDArray[np.float64]
    """(n,), metres from there to the middle of the patch."""
    inside: NDArray[np.bool_]
    """(n,), False where the grid has no such patch."""


def place(
    corner: NDArray[np.float64],
    size: NDArray[np.float64],
    epsg: NDArray[np.int64],
    grid: Grid,
) -> Places:
    """Put fragments on a grid.

    Args:
        corner: (n, 2), west and north, metres.
        size: (n,), side, metres.
        epsg: (n,), UTM zone of each.
        grid: in UTM zones or one CRS.
    """
    n = len(epsg)
    shape = np.array([[0, -1], [1, -1], [1, 0], [0, 0], [0.5, -0.5]])
    x, y = (corner[:, None] + shape * size[:, None, None]).transpose(2, 0, 1)
    lonlat = np.empty((n, 5, 2))
    for code in np.unique(epsg).tolist():
        here = epsg == code
        lonlat[here] = moved(code, 4326, x[here], y[here])
    middle = lonlat[:, 4]
    # Drawn in one piece across the antimeridian.
    lonlat[..., 0] = (
        middle[:, :1, None][..., 0] + (lonlat[..., 0] - middle[:, :1] + 180) % 360 - 180
    )
    cells, off, inside = on_grid(middle, grid)
    return Places(cells, lonlat[:, :4], middle, off, inside)


def on_grid(
    middle: NDArray[np.float64], grid: Grid, nudge: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """The patch that each point lies in, in the zone of that patch.

    Args:
        middle: (n, 2), longitude and latitude, degrees.
        grid: in UTM zones or one CRS.
        nudge: metres by which points are moved east and north first. Squares whose middles
            lie on the borders of patches then all go to the same side, and not as rounding
            has it.

    Returns:
        (n, 3) EPSG code, row and column; (n,) metres from the point to the middle of the
        patch; (n,) False where the grid has no such patch.
    """
    n = len(middle)
    at = zones(middle, grid)
    cells, off = np.zeros((n, 3), np.int64), np.zeros(n)
    for _ in range(2):
        for code in np.unique(at).tolist():
            here = at == code
            spot = moved(4326, code, middle[here, 0], middle[here, 1]) + nudge
            spot /= grid.patch_size
            col, row = np.floor(spot).T.astype(np.int64)
            cells[here] = np.column_stack([np.full(len(row), code), row, col])
            off[here] = np.hypot(*(spot - np.floor(spot) - 0.5).T) * grid.patch_size
        # Beside a zone's border the patch may be of the next zone.
        own = _centers(cells, grid)
        at = zones(own, grid)
        if (at == cells[:, 0]).all():
            break
    return cells, off, at == cells[:, 0]


def kept(places: Places, fragment: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,), rows whose fragment is the nearest to the middle of its patch.

    Args:
        places: of the rows.
        fragment: (n,), number of each row's fragment, from 0 on, in an order that no file
            changes; the first of equals stays.
    """
    _, patch = np.unique(places.cells, axis=0, return_inverse=True)
    patch = patch.ravel()
    order = np.lexsort((fragment, np.round(places.off, 3), patch))
    order = order[places.inside[order]]
    first = np.ones(len(order), bool)
    first[1:] = patch[order][1:] != patch[order][:-1]
    winner = np.full(int(patch.max(initial=-1)) + 1, -1)
    winner[patch[order[first]]] = fragment[order[first]]
    return np.asarray(places.inside & (winner[patch] == fragment))


def zones(lonlat: NDArray[np.float64], grid: Grid) -> NDArray[np.int64]:
    """(n,) EPSG code of the zone of each point (n, 2), or of the grid's one CRS."""
    if grid.crs != "utm":
        (code,) = grid.zones(-180, -80, 180, 80)
        return np.full(len(lonlat), code)
    number = np.clip(np.floor((lonlat[:, 0] + 180.0) / 6.0).astype(np.int64) + 1, 1, 60)
    return np.where(lonlat[:, 1] >= 0, 32600, 32700) + number


def _centers(cells: NDArray[np.int64], grid: Grid) -> NDArray[np.float64]:
    found = np.zeros((len(cells), 2))
    for code in np.unique(cells[:, 0]).tolist():
        here = cells[:, 0] == code
        found[here] = grid.centers(code, cells[here, 1], cells[here, 2])
    return found


def moved(
    source: int, target: int, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(..., 2) of coordinates of one shape, from one EPSG code to another."""
    to = pyproj.Transformer.from_crs(source, target, always_xy=True)
    # The last point goes in twice: pyproj makes scalars of arrays of length 1.
    across, up = (np.append(axis.ravel(), axis.ravel()[-1:]) for axis in (x, y))
    found = np.column_stack(to.transform(across, up, errcheck=True))[: x.size]
    return np.asarray(found.reshape(*x.shape, 2))
