"""Patches as one whole number each, so that millions of them can be sorted (pure)."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_BITS = 22
_HALF = 1 << (_BITS - 1)


def coded(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) of patches (n, 3): EPSG code, row and column; rows and columns below 2 million."""
    epsg, row, col = cells.T
    return np.asarray(((epsg << _BITS) + row + _HALF << _BITS) + col + _HALF)


def decoded(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, 3) EPSG code, row and column of what `coded` gave."""
    mask = (1 << _BITS) - 1
    col, row = (codes & mask) - _HALF, (codes >> _BITS & mask) - _HALF
    return np.column_stack([codes >> 2 * _BITS, row, col])


def tiles(codes: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """(n,) of the tile, of `side` patches per side, that each patch is in, coded alike."""
    cells = decoded(codes)
    cells[:, 1:] //= side
    return coded(cells)


def numbered(patches: pa.RecordBatch) -> NDArray[np.int64]:
    """(n,) of rows of the table of patches, by their columns `crs`, `row` and `col`."""
    crs = patches.column("crs").dictionary_encode()
    codes = [int(one.removeprefix("EPSG:")) for one in crs.dictionary.to_pylist()]
    epsg = np.array(codes, np.int64)[crs.indices.to_numpy(zero_copy_only=False)]
    places = [
        patches.column(name).to_numpy().astype(np.int64) for name in ("row", "col")
    ]
    return coded(np.column_stack([epsg, *places]))
