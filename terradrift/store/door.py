"""Rows at the store's door: checked, and put into the table's own order and encoding."""

from collections.abc import Iterable
from typing import TypeAlias

import pyarrow as pa

from terradrift.errors import SchemaError
from terradrift.store import names

Rows: TypeAlias = (
    pa.Table | pa.RecordBatch | pa.RecordBatchReader | Iterable[pa.RecordBatch]
)

BATCH_ROWS = 8192


def conform(
    table: str, rows: Rows, columns: pa.Schema | None = None
) -> pa.RecordBatchReader:
    """The rows as a stream in the column order and encoding of the table's schema.

    `columns` is the schema of `rows` where they are an iterable of batches.

    Raises:
        SchemaError: they do not have exactly the table's columns, or embeddings do not
            say in their schema metadata which model made them.
    """
    reader = _reader(rows, columns)
    target = names.expected(table, columns or reader.schema)
    if names.kind(table) == "embeddings" and b"model" not in target.metadata:
        raise SchemaError(
            f"{table}: rows must name their model in the schema's metadata; "
            "build the schema with schema.embeddings(d, model=..., revision=...)"
        )
    batches = (ordered(batch, target) for batch in reader)
    return pa.RecordBatchReader.from_batches(target, batches)


def ordered(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """The batch's columns in the order, and with the metadata, of `target`."""
    columns = [batch.column(name) for name in target.names]
    return pa.RecordBatch.from_arrays(columns, schema=target)


def _reader(rows: Rows, columns: pa.Schema | None) -> pa.RecordBatchReader:
    if isinstance(rows, pa.RecordBatchReader):
        return rows
    if isinstance(rows, pa.Table):
        return rows.to_reader(max_chunksize=BATCH_ROWS)
    batches = [rows] if isinstance(rows, pa.RecordBatch) else rows
    if columns is None:
        batches = list(batches)
        if not batches:
            raise ValueError("expected at least one record batch or a schema, got none")
        columns = batches[0].schema
    return pa.RecordBatchReader.from_batches(columns, batches)
