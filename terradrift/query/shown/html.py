"""Pieces of HTML for notebooks: escaped, styled in place, readable on dark and on light.

Colours are the reader's own (`currentColor`, by opacity), so nothing asks for a theme.
There is no script, no style sheet and nothing that is fetched.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from html import escape
from typing import Any

import pyarrow as pa

from terradrift.query import flat

_LONG, _LONG_PLACE = 60, 26
_CELL = "padding:2px 10px 2px 0;text-align:{};white-space:nowrap;border:0"
_RULE = "border-bottom:1px solid rgba(128,128,128,.35)"


def frame(title: str, *parts: str) -> str:
    """A box with a heading; `parts` are HTML, `title` is text."""
    inside = "".join(f"<div>{part}</div>" for part in parts if part)
    return (
        '<div style="font:13px/1.45 system-ui,sans-serif;border:1px solid '
        "rgba(128,128,128,.35);border-radius:6px;padding:10px 12px;max-width:60rem;"
        'overflow-x:auto">'
        f'<div style="font-weight:600;margin-bottom:6px">{escape(title)}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:10px 24px">{inside}</div></div>'
    )


def facts(told: Iterable[tuple[str, str]]) -> str:
    """Names and values side by side; both are text."""
    rows = "".join(
        f'<tr><td style="{_CELL.format("left")};opacity:.7">{escape(name)}</td>'
        f'<td style="{_CELL.format("left")};white-space:normal">{escape(value)}</td></tr>'
        for name, value in told
        if value
    )
    return f'<table style="border-collapse:collapse">{rows}</table>'


def note(words: str | None) -> str:
    """A line of text below; empty for None."""
    if not words:
        return ""
    return f'<div style="opacity:.8;margin-top:4px">{escape(words)}</div>'


def table(
    rows: pa.Table,
    types: Mapping[str, str] | None = None,
    first: Sequence[str] = (),
) -> str:
    """Rows as a table: `first` cells are HTML put before each, the others are escaped.

    Vectors are left out, places are WKT; `types` stand under the names of columns.
    """
    plain = flat.flat(rows)
    columns = [plain.column(name).to_pylist() for name in plain.column_names]
    place = [one.name for one in rows.schema if flat.is_place(one)]
    most = [_LONG_PLACE if name in place else _LONG for name in plain.column_names]
    number = [
        pa.types.is_integer(kind) or pa.types.is_floating(kind)
        for kind in plain.schema.types
    ]
    side = ["right" if one else "left" for one in number]
    lead = f'<th style="{_CELL.format("left")}"></th>' if first else ""
    head = lead + "".join(
        f'<th style="{_CELL.format(at)};{_RULE};font-weight:600">{escape(name)}'
        f"{_kind(types, name)}</th>"
        for name, at in zip(plain.column_names, side, strict=True)
    )
    body = []
    for i in range(plain.num_rows):
        before = f'<td style="{_CELL.format("left")}">{first[i]}</td>' if first else ""
        cells = "".join(
            f'<td style="{_CELL.format(at)}">{escape(_text(column[i], long))}</td>'
            for column, at, long in zip(columns, side, most, strict=True)
        )
        body.append(f"<tr>{before}{cells}</tr>")
    return (
        '<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _kind(types: Mapping[str, str] | None, name: str) -> str:
    if types is None or name not in types:
        return ""
    return f'<br><span style="font-weight:400;opacity:.6">{escape(types[name].lower())}</span>'


def _text(value: Any, most: int) -> str:  # noqa: ANN401 - whatever a column holds
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}" if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        midnight = value.hour == value.minute == value.second == 0
        return f"{value:%Y-%m-%d}" if midnight else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    said = str(value)
    return said if len(said) <= most else f"{said[:most]}..."
