"""The process of one question: reads it from standard input, and ends with the answer.

Started by `apart.Process`. Rows go to standard output as Arrow, the rest as one line of JSON
to standard error.
"""

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import duckdb
import lance
import pyarrow as pa

from terradrift.errors import ArchiveError, TerradriftError
from terradrift.query.pinned import Pinned
from terradrift.query.sql import ask, described, rlimits, sandbox
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Store

_REFUSED = 3
_TOO_LARGE = (
    "SQL needs more memory than it may have; narrow it, or allow it more "
    "(limits=Limits(memory_bytes=...))"
)


def main() -> None:
    """Answer the question on standard input: rows to standard output, words to the other."""
    _warm()
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)  # nobody will ask
    threading.Thread(target=_end_with_asker, daemon=True).start()
    asked = json.loads(line)
    limits = Limits(
        seconds=asked["seconds"],
        rows=asked["rows"],
        memory_bytes=asked["memory_bytes"],
        unheard=lambda: _refuse(
            f"SQL took longer than {asked['seconds']:g} s; narrow it"
        ),
    )
    try:
        store = _store(asked)
        rlimits.bound_memory(limits.memory_bytes, lambda: _refuse(_TOO_LARGE))
        relation = ask.sql(store, asked["text"], limits, **asked["values"])
        if asked["path"] is None:
            count, cut = _hand_over(relation.reader(), asked["most_bytes"])
        else:
            count, cut = relation.export(asked["path"]), False
    except TerradriftError as error:
        _refuse(str(error))
    except MemoryError:
        _refuse(_TOO_LARGE)
    note = relation.note
    if cut:
        note = (
            f"first {count:,} rows, as many as {asked['most_bytes']:,} bytes hold; narrow "
            "the question, or download the answer as a file"
        )
    _say({"note": note, "types": relation.types, "count": count})
    os._exit(0)  # threads of libraries need not be waited for


def _warm() -> None:
    """Load what the first question would wait for."""
    with duckdb.connect(":memory:") as connection:
        sandbox.check(connection, "SELECT count(*)")
    described.table()
    sandbox.open_ahead()


def _end_with_asker() -> None:
    """End where nobody waits any more for the answer."""
    while os.read(0, 1):
        continue
    os._exit(_REFUSED)


def _store(asked: Mapping[str, Any]) -> Store:
    store = Store.open(asked["root"])
    versions = asked["versions"]
    if not versions and asked["model"] is None:
        return store
    named = sorted({*store.tables(), *versions})
    opened = {name: _dataset(store, name, versions.get(name)) for name in named}
    held = replace(store.settings, model=asked["model"] or store.settings.model)
    return Pinned(store.root, held, opened)


def _dataset(store: Store, table: str, version: int | None) -> lance.LanceDataset:
    """Raises ArchiveError where the table has no such version any more."""
    if version is None:
        return store.dataset(table)
    try:
        return store.dataset(table, version)
    except ValueError as error:  # what Lance raises
        raise ArchiveError(
            f"Not found: {table}.lance at version {version}; ask the archive as it is now"
        ) from error


def _hand_over(rows: pa.RecordBatchReader, most_bytes: int | None) -> tuple[int, bool]:
    """Returns how many rows were handed over, and whether others were left out."""
    count, cut = 0, False
    left = sys.maxsize if most_bytes is None else most_bytes
    with pa.ipc.new_stream(sys.stdout.buffer, rows.schema) as stream:
        for batch in rows:
            fits = _fitting(batch, left)
            count += fits.num_rows
            left -= fits.nbytes
            stream.write_batch(fits)
            if cut := fits.num_rows < batch.num_rows:
                break
    sys.stdout.flush()
    return count, cut


def _fitting(batch: pa.RecordBatch, most_bytes: int) -> pa.RecordBatch:
    """The first rows, as many as take no more bytes."""
    low, high = 0, batch.num_rows
    while low < high:
        middle = (low + high + 1) // 2
        if batch.slice(0, middle).nbytes <= most_bytes:
            low = middle
        else:
            high = middle - 1
    return batch.slice(0, low)


def _refuse(why: str) -> None:
    """End at once: threads of DuckDB may be where they hear nothing."""
    _say({"error": why})
    os._exit(_REFUSED)


def _say(words: Mapping[str, object]) -> None:
    sys.stderr.write(f"{json.dumps(words)}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
