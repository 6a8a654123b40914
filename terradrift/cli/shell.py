"""The shell of `terradrift sql`: statements over several lines, history, completion."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from prompt_toolkit.completion import Completer, Completion

from terradrift.cli import answer
from terradrift.cli.output import say
from terradrift.errors import QueryError, TerradriftError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from terradrift.archive.front.asking import Asking
    from terradrift.query.sql.limits import Limits

_SHOWN = 60
_Number = TypeVar("_Number", int, float)

_HELP = """\
SELECT ...;        ask; a statement ends with a semicolon
.tables            views there are
.schema [VIEW]     what the columns of all views, or of one, mean
.limit N|off       rows at most
.timeout S|off     seconds at most
.output FILE|off   write the next answers to a file, by its ending
.help              this
.quit              leave; so does Ctrl-D. Ctrl-C stops a running statement"""
_WORDS = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "HAVING",
    "JOIN",
    "LEFT",
    "USING",
    "ON",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "NULL",
    "LIKE",
    "BETWEEN",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "DISTINCT",
    "COUNT",
    "WITH",
    "UNION",
    "ALL",
    "DESC",
    "ASC",
    "EXPLAIN",
    "DESCRIBE",
    "SUMMARIZE",
    "PIVOT",
    "QUALIFY",
    "INTERVAL",
    "CAST",
    "FILTER",
]


class Shell:
    """One session on one archive."""

    def __init__(
        self,
        archive: Asking,
        limits: Limits,
        *,
        form: str = "table",
        output: Path | None = None,
        values: dict[str, int | float | str] | None = None,
    ) -> None:
        self._archive = archive
        self._limits = limits
        self._form = form
        self._output = output
        self._values = values or {}

    def run(self, session: PromptSession[str] | None = None) -> None:
        """Read and answer statements until the input ends.

        Without a terminal, and without a `session`, they are read from standard input and
        the first that fails ends the run.
        """
        if session is None and not sys.stdin.isatty():
            for text in statements(sys.stdin):
                self.answer(text)
            return
        session = session or self._session()
        say("ask in SQL, end with ; - .help says more")
        while True:
            try:
                text = session.prompt("sql> ")
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text.strip() == ".quit":
                return
            try:
                self.answer(text)
            except KeyboardInterrupt:
                say("stopped")
            except TerradriftError as error:
                say(f"error: {error}")
            except Exception as error:  # noqa: BLE001 - one answer may not end the rest
                words = " ".join(str(error).split())
                say(f"error: cannot answer: {type(error).__name__}: {words}")

    def answer(self, text: str) -> None:
        """Answer statements, or do what one line starting with a point says.

        Raises:
            QueryError: it cannot be answered, no such command, or not a number.
        """
        text = text.strip()
        if text.startswith("."):
            self._command(*text.removesuffix(";").split(maxsplit=1))
        elif text.strip("; \n"):
            for one in parted(text):
                relation = self._archive.sql(one, self._limits, **self._values)
                answer.give(relation, form=self._form, output=self._output)

    def _command(self, name: str, given: str = "") -> None:
        given = given.strip()
        off = given in {"", "off"}
        if name == ".help":
            print(_HELP)
        elif name == ".tables":
            print("\n".join(names(self._archive)))
        elif name == ".schema":
            from terradrift.query.sql import described

            print(described.text(given or None))
        elif name == ".limit":
            rows = None if off else _number(int, name, given)
            self._limits = replace(self._limits, rows=rows)
        elif name == ".timeout":
            seconds = None if off else _number(float, name, given)
            self._limits = replace(self._limits, seconds=seconds)
        elif name == ".output":
            self._output = None if off else Path(given).expanduser()
        else:
            raise QueryError(f"no command {name}; .help lists them")

    def _session(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory

        return PromptSession(
            history=FileHistory(str(history_file())), **options(self._archive)
        )


def _number(read: Callable[[str], _Number], command: str, given: str) -> _Number:
    try:
        return read(given)
    except ValueError as error:
        raise QueryError(
            f"expected a number or off, as {command} 10, got {given[:_SHOWN]!r}"
        ) from error


def options(archive: Asking) -> dict[str, Any]:
    """How a session edits: over several lines until `;`, with completion."""
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    def complete() -> bool:
        text = get_app().current_buffer.text.strip()
        return not text or text.startswith(".") or text.endswith(";")

    @keys.add("enter", filter=Condition(complete))
    def _accept(event: Any) -> None:  # noqa: ANN401 - an event of prompt_toolkit
        event.current_buffer.validate_and_handle()

    return {
        "multiline": True,
        "prompt_continuation": "...> ",
        "key_bindings": keys,
        "completer": Names(archive),
        "complete_while_typing": False,
    }


def parted(text: str) -> list[str]:
    """Each statement of `text`; all of it where it cannot be read, or is a PIVOT."""
    import duckdb

    if "pivot" in text.lower():  # DuckDB makes several statements of one
        return [text]
    try:
        return [one.query for one in duckdb.extract_statements(text)]
    except duckdb.Error:
        return [text]


def statements(lines: Iterable[str]) -> Iterator[str]:
    """Statements up to a `;` that ends a line, lines that start with a point, and a rest."""
    held = ""
    for line in lines:
        held += line
        started = held.strip()
        if started.startswith(".") or started.endswith(";"):
            yield started
            held = ""
    if held.strip():
        yield held.strip()


def history_file() -> Path:
    """The user's history, made where there is none, for the user's eyes alone."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(state) / "terradrift" / "sql_history"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    return path


def names(archive: Asking) -> list[str]:
    """The views there are."""
    rows = archive.sql(
        "SELECT DISTINCT table_name FROM information_schema.tables "
        "WHERE table_catalog = 'memory' AND table_schema = 'main' ORDER BY ALL"
    )
    return [name for (name,) in rows.fetchall()]


class Names(Completer):
    """Keywords, views, columns of the views that a statement names, and functions."""

    def __init__(self, archive: Asking) -> None:
        rows = archive.sql(
            "SELECT table_name, list(column_name) FROM information_schema.columns "
            "WHERE table_catalog = 'memory' AND table_schema = 'main' "
            "GROUP BY ALL ORDER BY ALL"
        )
        self._columns: dict[str, list[str]] = dict(rows.fetchall())
        functions = archive.sql(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE NOT internal OR function_type IN ('aggregate', 'scalar') ORDER BY ALL"
        )
        self._functions = [
            f"{name}("
            for (name,) in functions.fetchall()
            if name.isidentifier() and name[-1] != "_"  # parts of others
        ]

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """What starts with the word before the cursor."""
        del complete_event
        word = document.get_word_before_cursor(pattern=re.compile(r"\w+"))
        if not word:
            return
        named = set(re.findall(r"\w+", document.text.lower())) & set(self._columns)
        columns = [column for view in sorted(named) for column in self._columns[view]]
        every = [*columns, *self._columns, *_WORDS, *self._functions]
        for name in dict.fromkeys(every):
            if name.lower().startswith(word.lower()):
                yield Completion(name, start_position=-len(word))
