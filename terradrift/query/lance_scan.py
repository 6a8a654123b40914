"""Lance tables as Arrow datasets that DuckDB can read, and scans by row id.

On disk vectors are float16, which DuckDB refuses; here they are float32, cast while Lance
reads. Projections and filters go down to Lance.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
from numpy.typing import NDArray

from terradrift.query import pushdown

ROW_ID = "_rowid"
BATCH_ROWS = 4096
NARROW_BATCH_ROWS = 1 << 16
_READ_AHEAD_BYTES = 64 << 20

# Scattered rows cost about fifty times as much each as rows of a scan (pylance 14, 384
# float16 values per row), so below this share of a table rows are picked, above scanned.
PICK_SHARE = 0.02


def is_vector(type_: pa.DataType) -> bool:
    """Whether `type_` is a fixed-size list of float16."""
    return bool(pa.types.is_fixed_size_list(type_) and type_.value_type == pa.float16())


def float32(schema: pa.Schema) -> pa.Schema:
    """`schema` with float32 vectors and without field metadata."""
    return pa.schema(
        [
            pa.field(
                field.name,
                pa.list_(pa.float32(), field.type.list_size)
                if is_vector(field.type)
                else field.type,
            )
            for field in schema
        ]
    )


class FloatDataset(pads.Dataset):  # type: ignore[misc]  # pyarrow has no types
    """A Lance table with float32 vectors, for DuckDB; `row_ids` adds the column `_rowid`."""

    def __init__(self, table: lance.LanceDataset, *, row_ids: bool = False) -> None:
        self._table = table
        self._schema: pa.Schema = table.schema  # made anew each time it is asked for
        self._names: list[str] = self._schema.names + ([ROW_ID] if row_ids else [])

    @property
    def schema(self) -> pa.Schema:
        """What DuckDB sees."""
        shown = float32(self._schema)
        if ROW_ID in self._names:
            shown = shown.append(pa.field(ROW_ID, pa.uint64()))
        return shown

    def scanner(
        self,
        columns: list[str] | None = None,
        filter: Any = None,  # noqa: A002, ANN401 - Arrow's own name; a pyarrow Expression
        **_options: Any,  # noqa: ANN401 - batch sizes that Arrow's callers may pass
    ) -> pads.Scanner:
        """Read `columns` of the rows for which `filter`, an Arrow expression, holds."""
        names = self._names if columns is None else columns
        # Lance 14 takes no expression on a field of a struct (bbox.xmin).
        wanted = pa.schema([self.schema.field(name) for name in names])
        if filter is None or "FieldRef.Nested" not in str(filter):
            return self._table.scanner(
                columns=self.projection(names),
                filter=filter,
                batch_size=_batch_rows(wanted),
            )
        batches = self._filtered(names, wanted, filter)
        return pads.Scanner.from_batches(batches, schema=wanted)

    def projection(self, names: list[str]) -> dict[str, str]:
        """Each column's Lance expression, by its name."""
        return {name: self._expression(name) for name in names}

    def _expression(self, name: str) -> str:
        if name == ROW_ID:
            return name
        type_ = self._schema.field(name).type
        if not is_vector(type_):
            return f"`{name}`"
        return f"arrow_cast(`{name}`, 'FixedSizeList({type_.list_size}, Float32)')"

    def _filtered(
        self,
        names: list[str],
        wanted: pa.Schema,
        condition: Any,  # noqa: ANN401 - a pyarrow Expression
    ) -> Iterator[pa.RecordBatch]:
        columns = self.projection(names)
        text = pushdown.sql(str(condition), self._schema)
        if text is None:
            batches = scan(self._table, columns, self._passing(names, condition))
        else:
            batches = self._table.scanner(
                columns=columns, filter=text, batch_size=_batch_rows(wanted)
            ).to_batches()
        for batch in batches:
            kept = pa.Table.from_batches([batch]).filter(condition)
            yield from kept.cast(wanted).to_batches()

    def _passing(
        self,
        names: list[str],
        condition: Any,  # noqa: ANN401 - a pyarrow Expression
    ) -> NDArray[np.uint64] | None:
        """Ids of the rows for which `condition` holds, where that saves reading vectors."""
        named = [name for name in names if name in str(condition)]
        if not any(is_vector(self._schema.field(n).type) for n in names if n != ROW_ID):
            return None
        found = self._table.scanner(
            columns=self.projection([*dict.fromkeys([*named, ROW_ID])]),
            batch_size=NARROW_BATCH_ROWS,
        ).to_reader()
        kept = pads.Scanner.from_batches(found, filter=condition, columns=[ROW_ID])
        ids: NDArray[np.uint64] = kept.to_table()[ROW_ID].to_numpy()
        return ids


def _batch_rows(wanted: pa.Schema) -> int:
    """Rows per batch that are quick to read: few where there are vectors."""
    wide = any(pa.types.is_fixed_size_list(field.type) for field in wanted)
    return BATCH_ROWS if wide else NARROW_BATCH_ROWS


def scan(
    table: lance.LanceDataset,
    columns: Mapping[str, str],
    allowed: NDArray[np.uint64] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Stream `columns` (name to Lance expression) of the rows whose ids are `allowed`.

    Where those are many the whole table is scanned and rows beside them come too, so the
    caller checks `_rowid` if that matters. None: all rows.
    """
    conditions: Iterable[str | None] = [None]
    if allowed is not None and len(allowed) <= PICK_SHARE * table.count_rows():
        starts = range(0, len(allowed), BATCH_ROWS)
        conditions = (_row_id_filter(allowed[at : at + BATCH_ROWS]) for at in starts)
    for condition in conditions:
        yield from table.scanner(
            columns=dict(columns),
            filter=condition,
            batch_size=BATCH_ROWS,
            io_buffer_size=_READ_AHEAD_BYTES,
        ).to_batches()


def _row_id_filter(ids: NDArray[np.uint64]) -> str:
    """Lance's condition for the rows with these ids; at least one."""
    return f"{ROW_ID} IN ({','.join(map(str, ids.tolist()))})"


def take(
    table: lance.LanceDataset, ids: NDArray[np.uint64], columns: list[str]
) -> pa.Table:
    """The rows with these ids, in their order, vectors as float32."""
    shown = FloatDataset(table, row_ids=True)
    names = [*columns, ROW_ID]
    wanted = pa.schema([shown.schema.field(name) for name in names])
    ordered = np.sort(ids)
    kept = [
        batch.filter(pa.array(among(batch, ordered)))
        for batch in scan(table, shown.projection(names), ordered)
    ]
    rows = pa.Table.from_batches(kept, wanted).combine_chunks()
    place = np.argsort(rows[ROW_ID].to_numpy())
    at = place[np.searchsorted(ordered, ids)] if len(ids) else place
    return rows.take(pa.array(at)).select(columns)


def among(batch: pa.RecordBatch, ids: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(n,) whether each row's id is one of `ids`, which are sorted."""
    if len(ids) == 0:
        return np.zeros(batch.num_rows, bool)
    given = batch[ROW_ID].to_numpy()
    at = np.minimum(np.searchsorted(ids, given), len(ids) - 1)
    return np.asarray(ids[at] == given)
