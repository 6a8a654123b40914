"""Rows of a Lance table by their ids, in any order, the cheapest way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.query import lance_scan

if TYPE_CHECKING:
    import lance

_FRAGMENT, _OFFSET = np.uint64(32), np.uint64(2**32 - 1)


def take(
    table: "lance.LanceDataset", ids: NDArray[np.uint64], columns: Sequence[str]
) -> pa.Table:
    """The rows with these ids, in their order, vectors as float32.

    Few rows are taken by their addresses; where they are many, where vectors are asked for
    or where rows were deleted, the table is scanned for them.
    """
    names = list(columns)
    held = table.schema  # made anew by Lance each time it is asked for
    wanted = lance_scan.float32(pa.schema([held.field(one) for one in names]))
    if not len(ids) or not names:
        return wanted.empty_table()
    at = None
    if not any(pa.types.is_fixed_size_list(field.type) for field in wanted):
        at = positions(table, ids)
    if at is None or len(ids) > lance_scan.PICK_SHARE * table.count_rows() + _FEW:
        return lance_scan.take(table, ids, names)
    order = np.argsort(at)
    rows = table.take(at[order].tolist(), columns=names).select(names)
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return rows.take(pa.array(back)).cast(wanted)


_FEW = 256


def positions(
    table: "lance.LanceDataset", ids: NDArray[np.uint64]
) -> NDArray[np.int64] | None:
    """Places of the rows in the table's stored order; None where rows were deleted."""
    parts = table.get_fragments()
    if any(part.num_deletions for part in parts):
        return None
    numbers = np.array([part.fragment_id for part in parts], np.uint64)
    starts = np.concatenate([[0], np.cumsum([part.physical_rows for part in parts])])
    order = np.argsort(numbers)
    at = order[np.searchsorted(numbers[order], ids >> _FRAGMENT)]
    found: NDArray[np.int64] = starts[at] + (ids & _OFFSET).astype(np.int64)
    return found
