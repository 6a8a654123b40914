"""Columns of place for rows that know their grid cell."""

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.grid import Grid


def corners(grid: Grid, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 4, 2) longitude and latitude of the corners of cells (n, 3): CRS, row, column."""
    found = np.zeros((len(cells), 4, 2))
    for epsg in np.unique(cells[:, 0]):
        here = cells[:, 0] == epsg
        found[here] = grid.corners(int(epsg), cells[here, 1], cells[here, 2])
    # A patch on the antimeridian is drawn in one piece, a little beyond 180 degrees.
    middle = found[:, :1, 0]
    found[..., 0] = middle + (found[..., 0] - middle + 180) % 360 - 180
    return found


def columns(shapes: NDArray[np.object_]) -> dict[str, pa.Array]:
    """Longitude, latitude, bbox and geometry of (n,) shapes in degrees."""
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    # A centroid may lie outside its shape; what is drawn or queried must lie inside.
    points = shapely.get_coordinates(shapely.point_on_surface(shapes)).reshape(-1, 2)
    return {
        "longitude": pa.array((points[:, 0] + 180) % 360 - 180, pa.float64()),
        "latitude": pa.array(points[:, 1], pa.float64()),
        "bbox": pa.StructArray.from_arrays(
            [pa.array(bounds[:, side], pa.float64()) for side in range(4)],
            fields=list(schema.BBOX),
        ),
        "geometry": pa.array(shapely.to_wkb(shapes), pa.binary()),
    }


def nullable(values: NDArray[np.floating]) -> pa.Array:
    """Float32 column with null for NaN: what cannot be given is null."""
    return pa.array(values.astype(np.float32), pa.float32(), from_pandas=True)


def words(values: NDArray[np.str_]) -> pa.Array:
    """Text column with null for empty."""
    column = pa.array(values, pa.string())
    return pa.compute.if_else(pa.compute.equal(column, ""), None, column)


def instants(values: NDArray[np.datetime64]) -> pa.Array:
    """Instants in UTC with null for NaT."""
    return pa.array(values.astype("datetime64[us]")).cast(schema.INSTANT)


def vectors(values: NDArray[np.floating]) -> pa.Array:
    """Column of float16 vectors from (n, d)."""
    flat = pa.array(np.ascontiguousarray(values, np.float16).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
