"""Tiles of patches: what ground they are, and whether they could be judged."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.serve.columns.changes import NONE
from terradrift.serve.columns.patches import Patches
from terradrift.serve.tiles import cells, near
from terradrift.serve.tiles import place as places
from terradrift.serve.tiles.encode import GEOMETRY, encode
from terradrift.serve.tiles.place import Place


def tile(patches: Patches, place: Place) -> bytes:
    """The layer `patches` of a tile: squares.

    Far out a cell of 8 px stands for all patches in it: their most frequent regime (of two
    as frequent the lower), their highest score with the id of its patch, whether any of
    them is judged, and their number `n`.
    """
    if place.zoom >= near.nearest_zoom(patches.squares):
        rows, shift = patches.squares.touching(*place.box())
        if len(rows) <= near.FEATURES:
            shapes = near.shapes(patches.squares, place, rows, shift)
            n = np.ones(len(rows), np.int64)
            return encode("patches", _rows(patches, rows, rows, n, shapes))
    return encode("patches", _far(patches, place))


def _far(patches: Patches, place: Place) -> pa.Table:
    found = cells.of(patches.squares, place, None)
    strongest = _strongest(patches, found)
    typical = _typical(patches, found)
    low = cells.corner(patches.squares, place, strongest)
    shapes = places.quads(places.boxes(low, low + cells.CELL))
    return _rows(patches, strongest, typical, found.count, shapes)


def _strongest(patches: Patches, found: cells.Cells) -> NDArray[np.int64]:
    """(c,) row of the highest score in each cell; the first where none is judged."""
    score = np.nan_to_num(patches.score[found.rows], nan=-np.inf)
    if not len(score):
        return found.rows
    most = np.repeat(np.maximum.reduceat(score, found.starts), found.count)
    best = np.flatnonzero(score == most)
    first = best[np.searchsorted(best, found.starts)]
    return np.asarray(found.rows[first])


def _typical(patches: Patches, found: cells.Cells) -> NDArray[np.int64]:
    """(c,) a row of the most frequent regime in each cell, of those that have one."""
    regime = patches.regime[found.rows].astype(np.int64) + 1
    kinds = int(regime.max(initial=0)) + 1
    cell = np.repeat(np.arange(len(found.starts)), found.count)
    number, at, n = np.unique(
        cell * kinds + regime, return_index=True, return_counts=True
    )
    n = np.where(number % kinds == 0, 0, n)
    order = np.lexsort((number, -n, number // kinds))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(number[order] // kinds) > 0
    return np.asarray(found.rows[at[order[first]]])


def _rows(
    patches: Patches,
    strongest: NDArray[np.integer],
    typical: NDArray[np.integer],
    n: NDArray[np.int64],
    shapes: pa.Array,
) -> pa.Table:
    score = patches.score[strongest]
    regime, ground = patches.regime[typical], patches.ground[typical]
    return pa.table(
        {
            "id": patches.patch_id.take(pa.array(strongest)),
            "score": pa.array(np.round(score, 2), from_pandas=True),
            "regime": pa.array(regime, mask=regime == NONE),
            "ground": pa.array(ground, mask=ground == NONE),
            "judged": ~np.isnan(score),
            "n": n.astype(np.int32),
            GEOMETRY: shapes,
        }
    )
