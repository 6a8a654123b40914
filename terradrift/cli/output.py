"""Printing: data to standard output as a table or JSON lines, words to standard error."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from terradrift.errors import TerradriftError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

_DIGITS = 4
_UNFOLDED = 100_000
"""Columns of a page that nobody looks at: one row stays one line for grep and awk."""


def say(words: object, *, quiet: bool = False) -> None:
    """Words for people, on standard error."""
    if not quiet:
        typer.echo(str(words), err=True)


def line(record: Mapping[str, Any]) -> None:
    """One JSON line on standard output."""
    typer.echo(json.dumps(record, default=_plain))


def rows(
    table: pa.Table, columns: Sequence[str] | None = None, *, as_json: bool
) -> None:
    """A table on standard output: JSON lines, or aligned text without vectors."""
    shown = table.select(list(columns or table.column_names))
    if as_json:
        for batch in shown.to_batches(max_chunksize=1024):
            for record in batch.to_pylist():
                line(record)
        return
    from rich.console import Console
    from rich.table import Table

    picture = Table(box=None, pad_edge=False, header_style="bold")
    names = [name for name in shown.column_names if _is_readable(shown, name)]
    for name in names:
        picture.add_column(name, overflow="fold")
    for record in shown.select(names).to_pylist():
        picture.add_row(*(_cell(name, record[name]) for name in names))
    width = None if sys.stdout.isatty() else _UNFOLDED
    Console(width=width, highlight=False, markup=False).print(picture)


@contextmanager
def usage() -> Iterator[None]:
    """Turn a ValueError of the parsers into a usage error (exit status 2)."""
    try:
        yield
    except TerradriftError:
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _is_readable(table: pa.Table, name: str) -> bool:
    from pyarrow import types

    kind = table.schema.field(name).type
    return not (
        types.is_binary(kind) or types.is_fixed_size_list(kind) or types.is_struct(kind)
    )


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if name in ("longitude", "latitude"):
            return f"{value:.5f}"  # about a metre
        return f"{value:.{_DIGITS}g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    return str(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
