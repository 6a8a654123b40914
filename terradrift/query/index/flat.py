"""A bit copy of one column of vectors in the table's stored order, and their lengths.

A row is found by its position alone, so rows that follow each other are read at the speed
of memory, and single ones without a search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from terradrift.query.index import files, kernel
from terradrift.query.index.rows import BLOCK, lengths_of
from terradrift.query.lance_scan import ROW_ID
from terradrift.store import arrays

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import lance
    import pyarrow as pa
    from numpy.typing import NDArray

    from terradrift.query.index.covered import Covered

KIND = "flat/1"

_READ_AHEAD_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Flat:
    """Vectors by position; a null or deleted one is zeros."""

    vectors: NDArray[np.float16]
    """(n, d)."""
    lengths: NDArray[np.float32]
    """(n,), NaN where a vector is null, deleted or not finite."""

    @cached_property
    def address(self) -> int:
        """Of the vectors, for kernels."""
        return kernel.at(self.vectors, np.float16)


def write(
    path: Path,
    dataset: lance.LanceDataset,
    covered: Covered,
    column: str,
    advance: Callable[[int], None],
) -> None:
    """Copy `column` of all rows of the version that was opened; `advance` counts them.

    Raises:
        ArchiveError: no room on the disk.
    """
    dimensions = int(dataset.schema.field(column).type.list_size)
    said = {"kind": KIND, "column": column, "covered": covered.text}
    shapes: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "vectors": (np.float16, (covered.rows, dimensions)),
        "lengths": (np.float32, (covered.rows,)),
    }
    # Vectors in whole lines of the cache, where lengths then begin at a multiple of their size.
    if dimensions % 2:
        shapes = {name: shapes[name] for name in ("lengths", "vectors")}
    everything = np.ones(len(covered.fragments), bool)
    with arrays.room(path, shapes, said) as room:
        room["lengths"][:] = np.nan
        batches = dataset.scanner(
            columns=[column],
            with_row_id=True,
            batch_size=BLOCK,
            io_buffer_size=_READ_AHEAD_BYTES,
        ).to_batches()
        for batch in batches:
            at = covered.positions(batch[ROW_ID].to_numpy(), everything)
            _put(room, at, batch[column])
            advance(batch.num_rows)


def _put(
    room: dict[str, NDArray[Any]], at: NDArray[np.int64], column: pa.FixedSizeListArray
) -> None:
    """Place vectors at the ascending positions `at`."""
    size = column.type.list_size
    values = column.values.slice(column.offset * size, len(column) * size)
    matrix = values.to_numpy(zero_copy_only=False).reshape(-1, size)
    null = column.is_null().to_numpy(zero_copy_only=False)
    lengths = lengths_of(matrix)
    if null.any():
        matrix = np.where(null[:, None], np.float16(0), matrix)
        lengths[null] = np.nan
    if len(at) and at[-1] - at[0] == len(at) - 1:
        run = slice(int(at[0]), int(at[-1]) + 1)
        room["vectors"][run], room["lengths"][run] = matrix, lengths
    else:
        room["vectors"][at], room["lengths"][at] = matrix, lengths


def read(path: Path) -> tuple[Flat, Covered]:
    """The copy, mapped.

    Raises:
        ArchiveError: it is damaged, or not such a file.
    """
    found, said, covered = files.read(path, KIND)
    with files.foreign(path):
        vectors, lengths = found["vectors"], found["lengths"]
        shaped = vectors.ndim == 2 and len(vectors) == len(lengths) == covered.rows
        files.expect(path, shaped and vectors.dtype == np.float16, said["column"])
    return Flat(vectors, lengths), covered
