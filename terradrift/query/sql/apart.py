"""One question in a process of its own, which ends when its time or memory is over.

DuckDB hears no interrupt inside one call of a function, and does not count all the memory
that it takes; the operating system does. It costs the start of a process, some seconds.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pyarrow as pa

from terradrift.errors import QueryError, TerradriftError
from terradrift.query.sql import ask, rlimits, sandbox
from terradrift.query.sql.limits import GRACE, Limits
from terradrift.store.tables import Store

START = 20.0
"""Seconds that a process may take to start and to open an archive."""

_REFUSED = 3
_TOO_LARGE = (
    "SQL needs more memory than it may have; narrow it, or allow it more "
    "(limits=Limits(memory_bytes=...))"
)


def answer(
    root: Path, text: str, limits: Limits, values: Mapping[str, Any] | None = None
) -> tuple[pa.Table, str | None]:
    """The rows of one statement on the archive at `root`, and the note beside them.

    `values` are what JSON can hold. The process is ended where it still runs `GRACE` after
    the time that `limits` allow it, and where the answer takes more than their memory.

    Raises:
        QueryError: no time limit, as `ask.sql`, or the process was ended.
    """
    if limits.seconds is None:
        raise QueryError(
            "expected a time limit for a question in a process of its own, got none; "
            "pass limits=Limits(seconds=...)"
        )
    asked = {
        "root": str(root),
        "text": text,
        "values": dict(values or {}),
        "seconds": limits.seconds,
        "rows": limits.rows,
        "memory_bytes": limits.memory_bytes,
    }
    try:
        question = json.dumps(asked).encode()
    except TypeError as error:
        raise QueryError(
            f"expected values that JSON holds, such as text and numbers, got {error}; "
            "pass instants as ISO text"
        ) from error
    command = [sys.executable, "-m", __name__]
    with TemporaryFile() as given, TemporaryFile() as words:
        given.write(question)
        given.seek(0)
        with subprocess.Popen(  # noqa: S603 - Python itself, and no text in the command
            command, stdin=given, stdout=subprocess.PIPE, stderr=words
        ) as process:
            timer = threading.Timer(START + limits.seconds + GRACE, process.kill)
            timer.start()
            try:
                rows = _read(process, limits.memory_bytes)
                code = process.wait()
            finally:
                timer.cancel()
                timer.join()
                process.kill()
        words.seek(0)
        told = _told(words.read().decode(errors="replace"))
    if "error" in told:
        raise QueryError(told["error"])
    if code or rows is None:
        raise QueryError(
            f"SQL was ended (status {code}), by its memory or its time of "
            f"{limits.seconds:g} s; narrow it, or allow it more (limits=Limits(...))"
        )
    return rows, told.get("note")


def _read(
    process: "subprocess.Popen[bytes]", memory_bytes: int | None
) -> pa.Table | None:
    """The rows that a process gives; None where it gives up before the first.

    Raises:
        QueryError: they take more memory than they may.
    """
    batches: list[pa.RecordBatch] = []
    most = memory_bytes or sandbox.half_of_memory()
    size = 0
    try:
        with pa.ipc.open_stream(process.stdout) as stream:
            for batch in stream:
                size += batch.nbytes
                if size > most:
                    process.kill()
                    raise QueryError(
                        f"the answer takes more than {most:,} bytes; narrow it, or allow "
                        "more (limits=Limits(memory_bytes=...))"
                    )
                batches.append(batch)
            return pa.Table.from_batches(batches, stream.schema)
    except (pa.ArrowInvalid, OSError):  # its words say why
        return None


def _told(words: str) -> dict[str, Any]:
    """The last line as JSON; nothing where it is none."""
    try:
        told = json.loads(words.strip().rsplit("\n", 1)[-1])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def main() -> None:
    """Answer the question on standard input: rows to standard output, words to the other."""
    asked = json.load(sys.stdin)
    limits = Limits(
        seconds=asked["seconds"],
        rows=asked["rows"],
        memory_bytes=asked["memory_bytes"],
        unheard=lambda: _refuse(
            f"SQL took longer than {asked['seconds']:g} s; narrow it"
        ),
    )
    try:
        store = Store.open(asked["root"])
        rlimits.bound_memory(limits.memory_bytes, lambda: _refuse(_TOO_LARGE))
        relation = ask.sql(store, asked["text"], limits, **asked["values"])
        rows = relation.reader()
        with pa.ipc.new_stream(sys.stdout.buffer, rows.schema) as stream:
            for batch in rows:
                stream.write_batch(batch)
    except TerradriftError as error:
        _refuse(str(error))
    except MemoryError:
        _refuse(_TOO_LARGE)
    sys.stdout.flush()
    _say({"note": relation.note})


def _refuse(why: str) -> None:
    """End at once: threads of DuckDB may be where they hear nothing."""
    _say({"error": why})
    os._exit(_REFUSED)


def _say(words: dict[str, str | None]) -> None:
    sys.stderr.write(f"{json.dumps(words)}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
