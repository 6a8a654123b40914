"""Patches of an archive that fragments stand for: which are taken, which are new."""

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.grid import Grid
from terradrift.store.majortom.places import Places
from terradrift.store.tables import Store

NEAR = 1e-4
"""Degrees, some 10 m: centres of one fragment on several dates."""


def free(store: Store, found: Places, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,), rows whose patch is not held by another fragment already."""
    open_ = np.ones(len(wanted), bool)
    if not store.exists("patches"):
        return open_
    # Only patches that are asked for are kept, so memory does not grow with the archive.
    asked = {
        (f"EPSG:{e}", r, c)
        for e, r, c in np.unique(found.cells[wanted], axis=0).tolist()
    }
    held: dict[tuple[str, int, int], tuple[float, float]] = {}
    columns = ["crs", "row", "col", "longitude", "latitude"]
    for batch in store.scan("patches", columns):
        for crs, row, col, *center in zip(*batch.to_pydict().values(), strict=True):
            if (crs, row, col) in asked:
                held[crs, row, col] = (center[0], center[1])
    for at in np.flatnonzero(wanted).tolist():
        epsg, row, col = found.cells[at].tolist()
        middle = held.get((f"EPSG:{epsg}", row, col))
        if middle is not None:
            apart = np.abs(found.center[at] - middle)
            open_[at] = max(min(apart[0], 360 - apart[0]), apart[1]) <= NEAR
    return open_


def add_patches(
    store: Store, found: Places, wanted: NDArray[np.bool_], grid: Grid
) -> int:
    """Add the places that the archive does not know; each has its fragment's footprint."""
    rows = np.flatnonzero(wanted)
    _, first = np.unique(found.cells[rows], axis=0, return_index=True)
    rows = rows[first]
    ids, _ = names(found.cells[rows], grid)
    if store.exists("patches"):
        asked, known = set(ids.tolist()), set[str]()
        for batch in store.scan("patches", ["patch_id"]):
            known |= asked.intersection(batch.column(0).to_pylist())
        fresh = np.array([one not in known for one in ids], bool)
        rows = rows[fresh]
    if len(rows) == 0:
        return 0
    made = table(found.cells[rows], found.center[rows], found.footprint[rows], grid)
    store.append("patches", made)
    return len(rows)


def table(
    cells: NDArray[np.int64],
    center: NDArray[np.float64],
    corners: NDArray[np.float64],
    grid: Grid,
) -> pa.Table:
    """Patches as rows of the table: of cells (n, 3), centres (n, 2) and corners (n, 4, 2)."""
    ids, tiles = names(cells, grid)
    low, high = corners.min(axis=1), corners.max(axis=1)
    sides = (low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    box = pa.StructArray.from_arrays(
        [pa.array(side) for side in sides], fields=list(schema.BBOX)
    )
    columns = [
        pa.array(ids, pa.string()),
        pa.array(tiles, pa.string()),
        pa.array([f"EPSG:{code}" for code in cells[:, 0].tolist()], pa.string()),
        pa.array(cells[:, 1].astype(np.int32)),
        pa.array(cells[:, 2].astype(np.int32)),
        pa.array(center[:, 0]),
        pa.array(center[:, 1]),
        box,
        pa.array(shapely.to_wkb(shapely.polygons(corners)), pa.binary()),
    ]
    return pa.Table.from_arrays(columns, schema=schema.patches())


def names(
    cells: NDArray[np.int64], grid: Grid
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Ids and tiles (n,) of patches (n, 3)."""
    ids, tiles = np.empty(len(cells), object), np.empty(len(cells), object)
    for code in np.unique(cells[:, 0]).tolist():
        here = cells[:, 0] == code
        row, col = cells[here, 1], cells[here, 2]
        ids[here] = grid.patch_ids(code, row, col)
        tiles[here] = grid.tile_of(code, row, col)
    return ids.astype(np.str_), tiles.astype(np.str_)
