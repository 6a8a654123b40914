"""Answers of SQL on the command line: as a table, CSV, JSON or Markdown, or in a file."""

from __future__ import annotations

import re
import sys
import threading
from typing import TYPE_CHECKING, TypeVar

from terradrift.cli.output import rows, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from terradrift.query.relation import Relation

FORMATS = ("table", "csv", "json", "jsonl", "markdown")
SHOWN_ROWS = 1_000
"""Rows that a terminal is shown unless more are asked for."""
SECONDS = 30.0
"""Time that an answer to look at may take unless more is asked for; files may take theirs."""

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{unit}I": 1 << 10 * at for at, unit in enumerate("KMGT", 1)}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", re.IGNORECASE)
_Answer = TypeVar("_Answer")


def bytes_of(text: str) -> int:
    """A size such as 2GB or 512MiB in bytes.

    Raises:
        ValueError: not a size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"expected memory such as 2GB or 512MB, got {text!r}")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def values_of(settings: Iterable[str]) -> dict[str, int | float | str]:
    """`name=value` as values to bind: numbers where they read so, else text.

    Raises:
        ValueError: no `=`, or a name that cannot stand after `$`.
    """
    values: dict[str, int | float | str] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not (equals and name.isidentifier()):
            raise ValueError(f"expected NAME=VALUE, got {setting!r}")
        values[name] = _number(text)
    return values


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def give(relation: Relation, *, form: str, output: Path | None) -> None:
    """Print the answer, or write it to `output`; notices go to standard error.

    Ctrl-C stops the statement wherever it is, and comes as KeyboardInterrupt.
    """
    from terradrift.query.write import one_line

    if output is None:
        with one_line(f"show this as {form}"):
            _show(relation, form)
    else:
        count = _interruptible(relation, lambda: relation.export(output))
        say(f"{count:,} rows to {output}")
    if relation.note:
        say(relation.note)


def _show(relation: Relation, form: str) -> None:
    if form in {"json", "jsonl"}:
        _interruptible(relation, lambda: _print_json(relation, as_list=form == "json"))
    elif form == "csv":
        _interruptible(relation, lambda: _print_csv(relation))
    elif form == "markdown":
        _interruptible(relation, lambda: _print_markdown(relation))
    else:
        rows(_interruptible(relation, relation.to_arrow), as_json=False)


def _interruptible(relation: Relation, work: Callable[[], _Answer]) -> _Answer:
    """What `work` gives. It runs beside: reading Arrow hears no signal until it ends."""
    given: list[_Answer] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
    except KeyboardInterrupt:
        relation.interrupt()
        thread.join()
        raise
    if failed:
        raise failed[0]
    return given[0]


def _print_json(relation: Relation, *, as_list: bool) -> None:
    from terradrift.query import write

    if as_list:
        write.json_to(relation, sys.stdout)
        return
    for text in write.json_lines(relation):
        print(text)


def _print_csv(relation: Relation) -> None:
    from terradrift.query import write

    sys.stdout.flush()
    stream = relation.reader()
    write.csv_to(stream, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    write.tell_left_out(relation, stream.schema)


def _print_markdown(relation: Relation) -> None:
    from terradrift.query import write

    table = relation.to_arrow()
    frame = write.shown(table)
    write.tell_left_out(relation, table.schema)
    lines = [list(frame.columns), ["---"] * len(frame.columns)]
    lines += frame.astype(object).where(frame.notna(), "").to_numpy().tolist()
    for cells in lines:
        print("|", " | ".join(str(cell).replace("|", "\\|") for cell in cells), "|")
