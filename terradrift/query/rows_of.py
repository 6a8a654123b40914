"""Rows of a Lance table by their ids, in any order, the cheapest way.

The tables are never written through (`Store.opened`), so what Lance tells of them is kept.
"""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.query import lance_scan
from terradrift.query import tables as _tables

if TYPE_CHECKING:
    import lance

    _Starts = tuple[NDArray[np.uint64], NDArray[np.int64]]

_FRAGMENT, _OFFSET = np.uint64(32), np.uint64(2**32 - 1)
_FEW = 256


def take(
    table: "lance.LanceDataset", ids: NDArray[np.uint64], columns: Sequence[str]
) -> pa.Table:
    """The rows with these ids, in their order, vectors as float32.

    Few rows are taken by their addresses; where they are many, where vectors are asked for
    or where rows were deleted, the table is scanned for them.
    """
    names = list(columns)
    held = _tables.schema_of(table)
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
    # The same types without the metadata of fields, so nothing is cast.
    return pa.Table.from_arrays(rows.take(pa.array(back)).columns, schema=wanted)


def nearest_first(
    table: "lance.LanceDataset",
    ids: NDArray[np.uint64],
    distances: NDArray[np.float64],
    keys: Sequence[str],
) -> NDArray[np.int64]:
    """The order of rows by distance, those as near as each other by the columns `keys`.

    Only where distances are equal the keys are read.
    """
    order: NDArray[np.int64] = np.lexsort((ids, distances))
    same = np.flatnonzero(np.diff(distances[order]) == 0)
    if len(same) and keys:
        tied = np.union1d(same, same + 1)
        rows = take(table, ids[order[tied]], keys)
        rows = rows.append_column(_DISTANCE, pa.array(distances[order[tied]]))
        by = [(name, "ascending") for name in (_DISTANCE, *keys)]
        order[tied] = order[tied[pc.sort_indices(rows, sort_keys=by).to_numpy()]]
    return order


_DISTANCE = "__distance"

_STARTS: "weakref.WeakKeyDictionary[lance.LanceDataset, _Starts | None]" = (
    weakref.WeakKeyDictionary()
)


def positions(
    table: "lance.LanceDataset", ids: NDArray[np.uint64]
) -> NDArray[np.int64] | None:
    """Places of the rows in the table's stored order; None where rows were deleted."""
    if table not in _STARTS:
        _STARTS[table] = _starts(table)
    if (held := _STARTS[table]) is None:
        return None
    numbers, starts = held
    at = np.searchsorted(numbers, ids >> _FRAGMENT)
    found: NDArray[np.int64] = starts[at] + (ids & _OFFSET).astype(np.int64)
    return found


def _starts(table: "lance.LanceDataset") -> "_Starts | None":
    """Ids of fragments, ascending, and the place of the first row of each."""
    parts = table.get_fragments()
    if any(part.num_deletions for part in parts):
        return None
    numbers = np.array([part.fragment_id for part in parts], np.uint64)
    rows = np.array([part.physical_rows for part in parts], np.int64)
    starts = np.cumsum(rows) - rows
    order = np.argsort(numbers)
    return numbers[order], starts[order]
