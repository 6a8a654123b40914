"""Where each tile's rows stand in a table, and reading such rows in ranges.

Units are written tile by tile, so even a table that was never sorted has a tile's rows in
long runs, and a sorted one has a single run per tile. One pass over the `tile` column
finds the runs; after that no index and no filter is needed to read a tile.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ranges = NDArray[np.int64]
"""(k, 2), first and last-but-one position of rows in the table's stored order."""

_MANY = 4
"""Ranges from which on Lance's `take` reads narrow columns faster, but not vectors."""
_GAP = 64
"""Rows that are cheaper to read and drop than to start another range for."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The runs of every tile in one version of a table."""

    runs: dict[str, Ranges]
    """Tile to its (k, 2) ranges, ascending; tiles in sorted order."""
    dataset: lance.LanceDataset


def layout(dataset: lance.LanceDataset) -> Layout:
    """Find the runs of every tile; reads the `tile` column once."""
    starts: list[int] = []
    tiles: list[str] = []
    total = 0
    for batch in dataset.to_batches(columns=["tile"], batch_size=1 << 16):
        runs = pc.run_end_encode(batch.column("tile"))
        ends = runs.run_ends.to_numpy()
        for tile, start in zip(
            runs.values.to_pylist(), [0, *ends[:-1].tolist()], strict=True
        ):
            if not tiles or tiles[-1] != tile:
                tiles.append(tile)
                starts.append(total + start)
        total += batch.num_rows
    stops = [*starts, total][1:]
    found: dict[str, list[tuple[int, int]]] = {}
    for tile, start, stop in zip(tiles, starts, stops, strict=True):
        found.setdefault(tile, []).append((start, stop))
    runs_of = {tile: np.array(found[tile], np.int64) for tile in sorted(found)}
    return Layout(runs_of, dataset)


def positions(ranges: Ranges) -> NDArray[np.int64]:
    """(n,) every position in the ranges, in their order."""
    if not len(ranges):
        return np.empty(0, np.int64)
    lengths = ranges[:, 1] - ranges[:, 0]
    ends = np.cumsum(lengths)
    shift = np.repeat(ranges[:, 0] - ends + lengths, lengths)
    found: NDArray[np.int64] = np.arange(ends[-1]) + shift
    return found


def covering(rows: NDArray[np.int64], gap: int = _GAP) -> Ranges:
    """Few ranges that cover the ascending positions `rows`, with gaps of at most `gap`."""
    if not len(rows):
        return np.empty((0, 2), np.int64)
    cut = np.flatnonzero(np.diff(rows) > gap + 1)
    first = rows[np.concatenate([[0], cut + 1])]
    last = rows[np.concatenate([cut, [len(rows) - 1]])]
    return np.column_stack([first, last + 1])


def read_ranges(
    dataset: lance.LanceDataset,
    columns: list[str],
    ranges: Ranges,
    batch_size: int = 2048,
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of each range as batches, with the position of each batch's first row."""
    for start, stop in ranges.tolist():
        at = start
        scanner = dataset.scanner(
            columns=columns, offset=start, limit=stop - start, batch_size=batch_size
        )
        for batch in scanner.to_batches():
            yield at, batch
            at += batch.num_rows


def read_table(
    dataset: lance.LanceDataset, columns: list[str], ranges: Ranges
) -> pa.Table:
    """The rows of the ranges, in their order."""
    wanted = pa.schema([dataset.schema.field(name) for name in columns])
    if len(ranges) > _MANY and not any(
        pa.types.is_fixed_size_list(field.type) for field in wanted
    ):
        found = dataset.take(positions(ranges), columns=columns)
        return found.select(columns).replace_schema_metadata(None)
    batches = [batch for _, batch in read_ranges(dataset, columns, ranges)]
    return pa.Table.from_batches(
        [batch.replace_schema_metadata(None) for batch in batches], wanted
    )


def take(
    dataset: lance.LanceDataset, columns: list[str], rows: NDArray[np.int64]
) -> pa.Table:
    """The rows at the positions `rows`, in that order."""
    ascending = np.sort(rows)
    ranges = covering(ascending)
    found = read_table(dataset, columns, ranges)
    at = np.searchsorted(positions(ranges), rows)
    if len(at) == len(found) and np.array_equal(at, np.arange(len(at))):
        return found
    return found.take(pa.array(at))
