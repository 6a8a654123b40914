"""Rows of a Parquet file, all or evenly chosen row groups, within a budget of rows and bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import parquet

BATCH_ROWS = 8192
COLUMN_BYTES = 512 << 20
"""Of a column in one row group, uncompressed; more is not read."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The row groups that are read."""

    groups: tuple[int, ...]
    rows: int
    of: int
    """Rows of the file."""
    heavy: tuple[int, ...]
    """Row groups whose columns are too large to be read."""

    def __str__(self) -> str:
        if self.rows == self.of:
            return f"all {self.of:,} geometries"
        return (
            f"{self.rows:,} of {self.of:,} geometries ({len(self.groups)} row groups)"
        )


def chosen(file: parquet.ParquetFile, columns: list[str], budget: int) -> Chosen:
    """First, last and evenly spread row groups of about `budget` rows; all where they fit."""
    held = file.metadata
    roots = {
        i
        for i in range(len(file.schema))
        if file.schema.column(i).path.split(".")[0] in columns
    }
    sizes = [held.row_group(i).num_rows for i in range(held.num_row_groups)]
    heavy = tuple(
        i
        for i in range(held.num_row_groups)
        if sum(held.row_group(i).column(c).total_uncompressed_size for c in roots)
        > COLUMN_BYTES
    )
    light = [i for i in range(len(sizes)) if i not in set(heavy) and sizes[i] > 0]
    total = sum(sizes)
    take = light
    if sum(sizes[i] for i in light) > budget and light:
        many = max(1, int(budget // max(1, np.mean([sizes[i] for i in light]))))
        take = [
            light[i] for i in np.unique(np.linspace(0, len(light) - 1, many, dtype=int))
        ]
    rows = sum(sizes[i] for i in take)
    return Chosen(tuple(take), rows, total, heavy)


def batches(
    file: parquet.ParquetFile, group: int, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """Rows of one row group."""
    yield from file.iter_batches(
        batch_size=BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False
    )
