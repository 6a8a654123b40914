"""Printing: data to standard output as a table or JSON lines, words to standard error."""

from __future__ import annotations

import json
import math
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
    """A table on standard output: JSON lines, or aligned text without vectors and shapes.

    What is left out is said on standard error.
    """
    shown = table.select(list(columns or table.column_names))
    if as_json:
        for batch in shown.to_batches(max_chunksize=1024):
            for record in batch.to_pylist():
                line(record)
        return
    from rich.console import Console
    from rich.table import Table

    picture = Table(box=None, pad_edge=False, header_style="bold")
    names = [field.name for field in shown.schema if _is_readable(field.type)]
    if left := [name for name in shown.column_names if name not in names]:
        say(f"not shown: {', '.join(left)} (vectors and shapes; --json has them)")
    if not names:
        return
    for name in names:
        picture.add_column(name, overflow="fold")
    kinds = {field.name: field.type for field in shown.schema}
    for record in shown.select(names).to_pylist(maps_as_pydicts="lossy"):
        picture.add_row(
            *(_cell(name, _readable(record[name], kinds[name])) for name in names)
        )
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


def _is_readable(kind: pa.DataType) -> bool:
    """Whether people read it: no bytes and no vector."""
    from pyarrow import types

    if types.is_fixed_size_list(kind):
        return False
    return not (types.is_binary(kind) or types.is_large_binary(kind))


def _readable(value: object, kind: pa.DataType) -> object:
    """Fields of a struct that people read, others as they are."""
    from pyarrow import types

    if not types.is_struct(kind) or not isinstance(value, dict):
        return value
    return {
        field.name: _short(field.name, _readable(value[field.name], field.type))
        for field in kind
        if _is_readable(field.type)
    }


def _short(name: str, value: object) -> object:
    """Numbers of a struct to as many digits as those of a cell."""
    if isinstance(value, float) and math.isfinite(value):
        return float(_cell(name, value))
    return value


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if name in ("longitude", "latitude"):
            return f"{value:.5f}"  # about a metre
        return f"{value:.{_DIGITS}g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, dict):
        from terradrift.query.flat import plain

        return json.dumps(plain(value))
    return str(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
