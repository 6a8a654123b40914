"""Rows at the store's door: checked, and put into the table's own order and encoding."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import pyarrow as pa

from terradrift.errors import SchemaError
from terradrift.store import names

Rows: TypeAlias = (
    pa.Table | pa.RecordBatch | pa.RecordBatchReader | Iterable[pa.RecordBatch]
)

BATCH_ROWS = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Incoming:
    """Rows on their way into a table."""

    columns: pa.Schema
    batches: Iterable[pa.RecordBatch]
    failed: list[BaseException] = field(default_factory=list)
    """What the rows' own source raised; Lance would show it as an error of the disk."""

    def reader(self) -> pa.RecordBatchReader:
        """The stream that Lance takes; once."""
        return pa.RecordBatchReader.from_batches(self.columns, self._watched())

    def _watched(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.batches:
                yield ordered(batch, self.columns)
        except Exception as error:
            self.failed.append(error)
            raise


def conform(table: str, rows: Rows, columns: pa.Schema | None = None) -> Incoming:
    """The rows as a stream in the column order and encoding of the table's schema.

    `columns` is the schema of `rows` where they are an iterable of batches.

    Raises:
        SchemaError: they do not have exactly the table's columns, or embeddings do not
            say in their schema metadata which model made them.
    """
    given, batches = _source(rows, columns)
    target = names.expected(table, given)
    if names.kind(table) == "embeddings" and b"model" not in target.metadata:
        raise SchemaError(
            f"{table}: rows must name their model in the schema's metadata; "
            "build the schema with schema.embeddings(d, model=..., revision=...)"
        )
    return Incoming(target, batches)


def ordered(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """The batch's columns in the order, and with the metadata, of `target`."""
    columns = [batch.column(name) for name in target.names]
    return pa.RecordBatch.from_arrays(columns, schema=target)


def _source(
    rows: Rows, columns: pa.Schema | None
) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    if isinstance(rows, pa.RecordBatchReader):
        return rows.schema, rows
    if isinstance(rows, pa.Table):
        return rows.schema, rows.to_batches(max_chunksize=BATCH_ROWS)
    if isinstance(rows, pa.RecordBatch):
        return rows.schema, [rows]
    if columns is not None:
        return columns, rows
    batches = list(rows)
    if not batches:
        raise ValueError("expected at least one record batch or a schema, got none")
    return batches[0].schema, batches
