"""Rows of a generation that pass filters, as a stream: what a download holds."""

from collections.abc import Callable, Iterator

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query.lance_scan import float32, is_vector
from terradrift.serve.faults import NotThere
from terradrift.serve.filters import Filters, Passing, passing
from terradrift.serve.held import Generation, Held
from terradrift.store import layout

BATCH_ROWS = 1 << 14


def changes(
    held: Held,
    generation: Generation,
    filters: Filters,
    *,
    vectors: bool,
    stopped: Callable[[], bool],
) -> pa.RecordBatchReader:
    """Changes that pass, in the table's order; of a search best first, with rank and distance.

    `vectors` takes those along (float32). `stopped` is asked from batch to batch.

    Raises:
        NotThere: the archive has no changes of the model.
        Gone: the region or the search is not kept any more.
    """
    table = _table(generation, "changes")
    found = passing(held, generation, filters)
    kept = [one for one in table.schema if vectors or not is_vector(one.type)]
    columns = _with_places(table, float32(pa.schema(kept)))
    ranked = _ranked(found)
    fields = pa.schema([*(field for field, _ in ranked), *columns])

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(found.rows), BATCH_ROWS):
            _check(stopped)
            part = slice(start, start + BATCH_ROWS)
            rows = layout.take(table, columns.names, found.rows[part])
            beside = [pa.array(values[part]) for _, values in ranked]
            cast = [
                rows[field.name].cast(field.type).combine_chunks() for field in columns
            ]
            yield pa.record_batch([*beside, *cast], schema=fields)

    return pa.RecordBatchReader.from_batches(fields, batches())


def events(
    held: Held,
    generation: Generation,
    filters: Filters,
    *,
    stopped: Callable[[], bool],
) -> pa.RecordBatchReader:
    """Events of which a change passes, best first.

    Of a search the event of the best match first, with that match's place and distance as
    `match_rank` and `distance`.

    Raises: as `changes`.
    """
    table = _table(generation, "events")
    found = passing(held, generation, filters)
    of = _events_of(_table(generation, "changes"), found.rows)
    _check(stopped)
    rows = table.to_table()
    ids = pc.unique(of.drop_null())  # in the order in which they come first
    ids = ids.filter(pc.is_in(ids, value_set=rows["event_id"].combine_chunks()))
    rows = rows.take(pc.index_in(ids, value_set=rows["event_id"].combine_chunks()))
    told = _with_places(table, float32(rows.schema))
    rows = rows.cast(told)
    if found.rank is None or found.distance is None:
        best = [("rank", "ascending"), ("event_id", "ascending")]
        return rows.sort_by(best).to_reader()
    first = np.asarray(pc.index_in(ids, value_set=of), np.int64)
    beside = [pa.array(found.rank[first]), pa.array(found.distance[first])]
    fields = pa.schema([*_matched("match_rank"), *told])
    return pa.table([*beside, *rows.columns], schema=fields).to_reader()


def left_out(generation: Generation) -> list[str]:
    """Columns of vectors that changes have."""
    fields = _table(generation, "changes").schema
    return [field.name for field in fields if is_vector(field.type)]


def _table(generation: Generation, base: str) -> lance.LanceDataset:
    name, store = generation.table(base), generation.archive.store
    if not store.exists(name):
        raise NotThere(f"the archive has no {base} of {generation.model} yet")
    return store.dataset(name)


def _ranked(found: Passing) -> list[tuple[pa.Field, NDArray[np.generic]]]:
    if found.rank is None or found.distance is None:
        return []
    return list(zip(_matched("rank"), (found.rank, found.distance), strict=True))


def _matched(rank: str) -> list[pa.Field]:
    return [pa.field(rank, pa.int64()), pa.field("distance", pa.float32())]


def _events_of(table: lance.LanceDataset, rows: NDArray[np.int64]) -> pa.Array:
    """(n,) events of changes, in their order."""
    parts = [
        layout.take(table, ["event_id"], rows[start : start + BATCH_ROWS])["event_id"]
        for start in range(0, len(rows), BATCH_ROWS)
    ]
    chunks = [chunk for part in parts for chunk in part.chunks]
    return pa.chunked_array(chunks, pa.string()).combine_chunks()


def _with_places(table: lance.LanceDataset, columns: pa.Schema) -> pa.Schema:
    """The columns; of places with what says that they are."""
    told = {field.name: field.metadata for field in table.schema}
    return pa.schema(
        [
            field.with_metadata(told[field.name])
            if pa.types.is_binary(field.type) and told[field.name]
            else field
            for field in columns
        ]
    )


def _check(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise QueryError("the download was stopped")
