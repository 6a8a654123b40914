"""The table of one method's anomalies: written whole or not at all, described, read back."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from terradrift import schema
from terradrift.store.tables import Store

PREFIX = "anomalies_"


def table_name(method: str, model: str = "") -> str:
    """Such as `anomalies_inpaint`, or `anomalies_seasonal_mosaiks` of a method on vectors."""
    return PREFIX + "_".join(schema.suffix(part) for part in (method, model) if part)


def replace(
    store: Store,
    method: str,
    rows: Iterable[pa.RecordBatch],
    *,
    model: str = "",
    about: Mapping[str, str],
) -> int:
    """Put `rows` (of `schema.anomalies()`) in place of what the method said before.

    Readers see the old table or the new. `about` says how the scores were made (parameters,
    weights, preprocessing), as the table's metadata. Returns the number of rows.

    Raises:
        SchemaError: rows of other columns; the old table stays.
    """
    name = table_name(method, model)
    plain = schema.anomalies()
    told = {**plain.metadata, **{k.encode(): v.encode() for k, v in about.items()}}
    described = plain.with_metadata(told)
    store.overwrite(name, _checked(_on_one_thread(rows), name), described)
    return store.count(name)


def _on_one_thread(rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows, all made on one thread that lives as long as they are wanted.

    Lance asks for rows from threads that come and go; PROJ and GDAL, which keep state per
    thread, crash the process when what makes the rows reads pixels there.
    """
    source = iter(rows)
    with ThreadPoolExecutor(1, "anomalies") as thread:
        try:
            while True:
                batch = thread.submit(next, source, None).result()
                if batch is None:
                    return
                yield batch
        finally:
            if isinstance(source, Generator):
                thread.submit(source.close).result()


def _checked(rows: Iterable[pa.RecordBatch], name: str) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        schema.check(batch.schema, schema.anomalies(), name)
        yield batch
