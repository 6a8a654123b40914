"""One question in a process of its own, which ends when its time or memory is over.

DuckDB hears no interrupt inside one call of a function, and does not count all the memory
that it takes; the operating system does. The start of a process costs some seconds, unless
one was started ahead (`Process`) and waits.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from terradrift.errors import QueryError
from terradrift.query.sql import sandbox
from terradrift.query.sql.limits import GRACE, Limits

START = 20.0
"""Seconds that a process may take to start and to open an archive."""

_ANSWERING = "terradrift.query.sql.answering"
"""What runs in the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One statement on the archive at `root`, within limits that name a time."""

    root: Path
    text: str
    limits: Limits
    values: Mapping[str, Any] = field(default_factory=dict)
    """What JSON can hold."""
    versions: Mapping[str, int] = field(default_factory=dict)
    """Of tables that are to be read as they were; others as they are."""
    model: str | None = None
    """Whose tables views without a suffix show; None: the archive's own."""
    most_bytes: int | None = None
    """Of rows that are handed over: those beyond are left out, which the note says."""
    path: Path | None = None
    """Where the rows are to be written, as `Relation.export`; None: they are handed over."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The rows of a statement, and what is told beside them."""

    rows: pa.Table | None
    """None where they were written to a file."""
    note: str | None
    types: tuple[str, ...]
    """DuckDB's, of the columns."""
    count: int
    """Rows."""


def answer(
    root: Path, text: str, limits: Limits, values: Mapping[str, Any] | None = None
) -> tuple[pa.Table, str | None]:
    """The rows of one statement on the archive at `root`, and the note beside them.

    `values` are what JSON can hold. The process is ended where it still runs `GRACE` after
    the time that `limits` allow it, and where the answer takes more than their memory.

    Raises:
        QueryError: no time limit, as `ask.sql`, or the process was ended.
    """
    asked = Question(root=root, text=text, limits=limits, values=dict(values or {}))
    with Process() as process:
        found = process.answer(asked)
    return found.rows, found.note


class Process:
    """A process that has loaded what SQL needs, opened no archive, and waits for a question.

    It answers one and ends; it ends too when the process that started it does.
    """

    def __init__(self) -> None:
        self._words = TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(  # noqa: S603 - Python itself, and no text in the command
            [sys.executable, "-m", _ANSWERING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
        )
        self._ending = threading.Lock()
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def waits(self) -> bool:
        """Whether it is alive."""
        return self._process.poll() is None

    def answer(self, asked: Question) -> Answer:
        """Ask it, once.

        Raises:
            QueryError: no time limit, as `ask.sql`, or the process was ended.
        """
        seconds = asked.limits.seconds
        if seconds is None:
            raise QueryError(
                "expected a time limit for a question in a process of its own, got none; "
                "pass limits=Limits(seconds=...)"
            )
        question = _written(asked)
        timer = threading.Timer(START + seconds + GRACE, self.kill)
        timer.start()
        try:
            rows = self._rows(question, asked)
            code = self._process.wait()
        finally:
            timer.cancel()
            timer.join()
            self.kill()
        told = self._told()
        if "error" in told:
            raise QueryError(told["error"])
        if code or "types" not in told or (rows is None and asked.path is None):
            raise QueryError(
                f"SQL was ended (status {code}), by its memory or its time of "
                f"{seconds:g} s; narrow it, or allow it more (limits=Limits(...))"
            )
        return Answer(rows, told["note"], tuple(told["types"]), int(told["count"]))

    def kill(self) -> None:
        """End it at once; who waits for its answer is told that it was ended."""
        with self._ending:
            if not self._ended:
                self._process.kill()

    def end(self) -> None:
        """End it, and leave nothing of it behind."""
        self.kill()
        with self._ending:
            self._ended = True
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._words):
                if pipe is not None:
                    _close(pipe)

    def _rows(self, question: bytes, asked: Question) -> pa.Table | None:
        if self._process.stdin is None or self._process.stdout is None:
            return None  # never: both are pipes
        try:
            self._process.stdin.write(question)
            self._process.stdin.flush()
        except OSError:  # it ended before; its words say why
            return None
        return _read(self, self._process.stdout, asked.limits.memory_bytes)

    def _told(self) -> dict[str, Any]:
        self._words.seek(0)
        return _last_line(self._words.read().decode(errors="replace"))


def _close(pipe: Any) -> None:  # noqa: ANN401 - any file
    try:
        pipe.close()
    except OSError:  # what was not written has nobody to read it
        return


def _written(asked: Question) -> bytes:
    told = {
        "root": str(asked.root),
        "text": asked.text,
        "values": dict(asked.values),
        "seconds": asked.limits.seconds,
        "rows": asked.limits.rows,
        "memory_bytes": asked.limits.memory_bytes,
        "versions": dict(asked.versions),
        "model": asked.model,
        "most_bytes": asked.most_bytes,
        "path": None if asked.path is None else str(asked.path),
    }
    try:
        return json.dumps(told, ensure_ascii=False).encode() + b"\n"
    except TypeError as error:
        raise QueryError(
            f"expected values that JSON holds, such as text and numbers, got {error}; "
            "pass instants as ISO text"
        ) from error
    except UnicodeEncodeError as error:
        raise QueryError(
            "expected text of whole characters, got half of one (a lone surrogate)"
        ) from error


def _read(process: Process, source: Any, memory_bytes: int | None) -> pa.Table | None:  # noqa: ANN401 - a pipe
    """The rows that a process gives; None where it gives up before the first.

    Raises:
        QueryError: they take more memory than they may.
    """
    batches: list[pa.RecordBatch] = []
    most = memory_bytes or sandbox.half_of_memory()
    size = 0
    try:
        with pa.ipc.open_stream(source) as stream:
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


def _last_line(words: str) -> dict[str, Any]:
    """The last line as JSON; nothing where it is none."""
    try:
        told = json.loads(words.strip().rsplit("\n", 1)[-1])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
