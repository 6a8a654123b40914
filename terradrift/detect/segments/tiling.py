"""Label maps of large images by tiles that overlap (pure).

Each tile gives its regions to its own part of the image. Two regions of neighbouring tiles
are one where they agree over the strip that both tiles saw (more than half of their union
there), so that no object is cut by where tiles happen to lie.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from terradrift.detect.segments.labels import connected

TILE_PX, OVERLAP_PX = 2048, 256

_AGREE = 0.5


def stitched(
    shape: tuple[int, ...],
    segment: Callable[[slice, slice], NDArray[np.integer]],
    *,
    tile_px: int = TILE_PX,
    overlap_px: int = OVERLAP_PX,
) -> NDArray[np.int32]:
    """(y, x) labels of an image of `shape`, 0 where `segment` gives 0.

    `segment` takes rows and columns of a tile, inside the image, and gives its labels. An
    image of one tile or less is segmented at once.

    Raises:
        ValueError: the overlap is not below the tile.
    """
    if not 0 <= overlap_px < tile_px:
        raise ValueError(
            f"expected an overlap of 0 up to the tile of {tile_px}, got {overlap_px}"
        )
    rows, cols = (spans(side, tile_px, overlap_px) for side in shape)
    if len(rows) == len(cols) == 1:
        return np.asarray(segment(rows[0], cols[0]), np.int32)
    out = np.zeros(shape, np.int32)
    wide = np.zeros(
        shape, np.int32
    )  # labels of the tiles so far, over all that they saw
    same: list[NDArray[np.int64]] = []
    count = 0
    for row in rows:
        for col in cols:
            found = np.asarray(segment(row, col), np.int32)
            number = np.where(found > 0, found + count, 0).astype(np.int32)
            same.append(_agreeing(wide[row, col], number))
            inside = _own(row, rows), _own(col, cols)
            out[inside] = number[
                inside[0].start - row.start : inside[0].stop - row.start,
                inside[1].start - col.start : inside[1].stop - col.start,
            ]
            wide[row, col] = np.where(number > 0, number, wide[row, col])
            count += int(found.max(initial=0))
    pairs = np.concatenate(same, axis=1)
    edges = sparse.coo_array(
        (np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])),
        shape=(count + 1, count + 1),
    )
    _, group = csgraph.connected_components(edges, directed=False)
    labels = connected(np.where(out > 0, group[out] + 1, 0))
    labels[out == 0] = 0
    return labels


def spans(side: int, tile_px: int, overlap_px: int) -> list[slice]:
    """Tiles along one axis: equal steps, the first and last on the image's borders."""
    if side <= tile_px:
        return [slice(0, side)]
    count = -(-(side - overlap_px) // (tile_px - overlap_px))
    starts = np.round(np.linspace(0, side - tile_px, count)).astype(int)
    return [slice(int(start), int(start) + tile_px) for start in starts]


def _own(tile: slice, tiles: list[slice]) -> slice:
    """What a tile gives to the image: up to the middle of what it shares."""
    at = tiles.index(tile)
    start = (tiles[at - 1].stop + tile.start) // 2 if at else tile.start
    stop = (tile.stop + tiles[at + 1].start) // 2 if at + 1 < len(tiles) else tile.stop
    return slice(start, stop)


def _agreeing(before: NDArray[np.int32], after: NDArray[np.int32]) -> NDArray[np.int64]:
    """(2, k) labels of both maps whose common part is more than half of their union.

    Only pixels with a label in both count: the strip that both tiles saw.
    """
    both = (before > 0) & (after > 0)
    a, b = before[both].astype(np.int64), after[both].astype(np.int64)
    if len(a) == 0:
        return np.empty((2, 0), np.int64)
    wide = int(b.max()) + 1
    pairs, common = np.unique(a * wide + b, return_counts=True)
    one, other = np.divmod(pairs, wide)
    union = np.bincount(a)[one] + np.bincount(b)[other] - common
    agree = common > _AGREE * union
    return np.stack([one[agree], other[agree]])
