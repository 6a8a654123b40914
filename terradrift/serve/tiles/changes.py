"""Tiles of changes: the strongest of each cell far out, every one as its patch near in."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.serve.columns.changes import NO_WORD, NONE, UNKNOWN_DAY, Changes
from terradrift.serve.tiles import cells, near
from terradrift.serve.tiles import place as places
from terradrift.serve.tiles.encode import GEOMETRY, encode
from terradrift.serve.tiles.place import Place

_FEW = 2
"""Patches of a cell up to which its point is where its strongest change is."""


def tile(changes: Changes, passes: NDArray[np.bool_], place: Place) -> bytes:
    """The layer `changes` of a tile.

    Far out a point per cell of 8 px that holds changes: the strongest, and their number `n`;
    over all tiles of a zoom these numbers add up to the changes that pass. It stands at the
    strongest change where no more than two patches of the cell changed, so that what is rare
    is where it is; otherwise in the middle of the cell. Near in a square
    per change; where there are very many a square per patch with its strongest and `n`, or
    points again. The strongest come last, so that they are drawn over others.
    """
    made = None
    if place.zoom >= near.nearest_zoom(changes.squares):
        made = _near(changes, passes, place)
    return encode("changes", _far(changes, passes, place) if made is None else made)


def _far(changes: Changes, passes: NDArray[np.bool_], place: Place) -> pa.Table:
    found = cells.of(changes.squares, place, None if passes.all() else passes)
    best = found.least(changes.rank)
    order = np.argsort(-best)
    rows = changes.by_rank[best[order]]
    at = cells.middle(changes.squares, place, rows)
    many = found.patches(changes.squares.key)[order] > _FEW
    at[many] = cells.corner(changes.squares, place, rows[many]) + cells.CELL / 2
    return _rows(changes, rows, found.count[order], places.points(at))


def _near(changes: Changes, passes: NDArray[np.bool_], place: Place) -> pa.Table | None:
    """None where there are more squares than a tile may have."""
    rows, shift = changes.squares.touching(*place.box())
    kept = passes[rows]
    rows, shift = rows[kept], shift[kept]
    order = np.argsort(-changes.rank[rows])
    rows, shift = rows[order], shift[order]
    n = np.ones(len(rows), np.int64)
    if len(rows) > near.FEATURES:
        # Turned round, the first of each patch is its strongest.
        key, last, n = np.unique(
            changes.squares.key[rows[::-1]], return_index=True, return_counts=True
        )
        if len(key) > near.FEATURES:
            return None
        weakest_first = np.argsort(-last)
        n, at = n[weakest_first], len(rows) - 1 - last[weakest_first]
        rows, shift = rows[at], shift[at]
    return _rows(changes, rows, n, near.shapes(changes.squares, place, rows, shift))


def _rows(
    changes: Changes,
    rows: NDArray[np.integer],
    n: NDArray[np.int64],
    shapes: pa.Array,
) -> pa.Table:
    kind, onset = changes.kind[rows], changes.onset[rows]
    persistence = changes.persistence[rows].astype(np.int32)
    return pa.table(
        {
            "id": changes.change_id.take(pa.array(rows)),
            # What a colour cannot show only makes tiles larger.
            "score": np.round(changes.score[rows], 2),
            "kind": pa.array(kind, mask=kind == NONE),
            "onset": pa.array(onset, mask=onset == UNKNOWN_DAY),
            "persistence": pa.array(persistence, mask=persistence == NO_WORD),
            "n": n.astype(np.int32),
            GEOMETRY: shapes,
        }
    )
