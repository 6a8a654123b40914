"""Vectors of rows as matrices in a space, whatever the columns hold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.query.search.nearest import moved

if TYPE_CHECKING:
    from terradrift.space import Space


def stacked(
    rows: "pa.Table | pa.RecordBatch", columns: Sequence[str], space: "Space | None"
) -> NDArray[np.float32]:
    """(n, columns, r) vectors in the space; a row of which one is null or not finite is NaN."""
    parts = [moved(_matrix(rows[name]), name, space) for name in columns]
    return np.stack(parts, axis=1)


def _matrix(column: "pa.Array | pa.ChunkedArray") -> NDArray[np.float32]:
    """(n, d), NaN where null or not finite."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    size = column.type.list_size
    values = column.values.slice(column.offset * size, len(column) * size)
    held = values.to_numpy(zero_copy_only=False).reshape(-1, size)
    matrix: NDArray[np.float32] = held.astype(np.float32)
    known = np.isfinite(matrix).all(axis=1)
    known &= column.is_valid().to_numpy(zero_copy_only=False)
    matrix[~known] = np.nan
    return matrix
