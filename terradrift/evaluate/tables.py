"""Tables and notes as text: Markdown, and columns for a terminal of 100."""

import textwrap
from collections.abc import Iterator, Sequence

Row = tuple[str, ...]
WIDTH = 100
_MARGIN = "  "
_GAP = 2
"""Spaces between columns."""


def piped(head: Row, rows: Sequence[Row]) -> str:
    """A table of Markdown."""
    every = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"
        for row in every
    )


def aligned(head: Row, rows: Sequence[Row], *, keys: int = 1) -> list[str]:
    """The lines of a table for a terminal.

    Where it is too wide its heads are wrapped, and where that does not do, it goes on
    below with the first `keys` columns repeated. Only a cell that is too wide by itself
    passes `WIDTH`.
    """
    body = [max((len(row[at]) for row in rows), default=0) for at in range(len(head))]
    plain = [[cell] for cell in head]
    narrow = [
        _narrow(cell, size) or [""] for cell, size in zip(head, body, strict=True)
    ]
    lines: list[str] = []
    for columns in _parts(_widths(narrow, body), keys):
        heads, widths = plain, _widths(plain, body)
        if _width([widths[at] for at in columns]) > WIDTH:
            heads, widths = narrow, _widths(narrow, body)
        tall = max(len(heads[at]) for at in columns)
        top = [[*heads[at], *[""] * (tall - len(heads[at]))] for at in columns]
        cells = [
            *zip(*top, strict=True),
            *([row[at] for at in columns] for row in rows),
        ]
        if lines:
            lines.append("")
        lines += [_line(each, [widths[at] for at in columns]) for each in cells]
    return lines


def wrapped(words: str, mark: str = "") -> list[str]:
    """Words in lines of at most `WIDTH`, the first after a mark."""
    return textwrap.wrap(
        words, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark)
    )


def _narrow(cell: str, size: int) -> list[str]:
    longest = max((len(word) for word in cell.split()), default=0)
    return textwrap.wrap(cell, max(longest, size, 1), break_on_hyphens=False)


def _widths(heads: Sequence[Sequence[str]], body: Sequence[int]) -> list[int]:
    return [
        max(size, *map(len, lines)) for lines, size in zip(heads, body, strict=True)
    ]


def _width(widths: Sequence[int]) -> int:
    return len(_MARGIN) + sum(widths) + _GAP * (len(widths) - 1)


def _parts(widths: Sequence[int], keys: int) -> Iterator[list[int]]:
    """Columns of each part."""
    part = list(range(keys))
    for at in range(keys, len(widths)):
        if len(part) > keys and _width([widths[one] for one in [*part, at]]) > WIDTH:
            yield part
            part = list(range(keys))
        part.append(at)
    yield part


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(size) for cell, size in zip(cells, widths, strict=True))
    return _MARGIN + (" " * _GAP).join(padded).rstrip()
