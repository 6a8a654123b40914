"""A comparison of models as a page of Markdown, and as text for a terminal."""

from collections.abc import Iterator, Sequence

import numpy as np

from terradrift.evaluate.bench import cells
from terradrift.evaluate.class_maps.grid import SHARES
from terradrift.evaluate.compare.result import Compared, Line
from terradrift.evaluate.tables import Row, aligned, piped, wrapped

Table = tuple[str, Row, list[Row]]
"""Title, head, rows."""


def markdown(found: Compared) -> str:
    """One page."""
    lines = ["# Models compared on one grid", "", intro(found)]
    for title, head, rows in tables(found):
        lines += ["", f"## {title}", "", piped(head, rows)]
    lines += ["", "## Notes", "", *(f"* {note}" for note in notes(found))]
    return "\n".join(lines) + "\n"


def text(found: Compared) -> str:
    """The same in aligned columns, at most 100 wide."""
    lines = ["Models compared on one grid", *wrapped(intro(found))]
    for title, head, rows in tables(found):
        lines += ["", title, *aligned(head, rows, keys=3)]
    lines.append("")
    for note in notes(found):
        lines += wrapped(note, "* ")
    return "\n".join(lines)


def intro(found: Compared) -> str:
    """What was judged."""
    first = found.lines[0].common
    parts = ", ".join(
        f"{count:,} {'in part' if least == 0 else f'by at least {least:.0%}'}"
        for least, count in first.changed.items()
        if least < 1
    )
    return (
        f"{found.dates}; {first.cells:,} cells of {found.cell} m that every map covers, of "
        f"which {parts} and {first.changed[1.0]:,} wholly changed ({found.labels})."
    )


def tables(found: Compared) -> Iterator[Table]:
    """On the common grid, best first, and on each model's own."""
    ordered = sorted(found.lines, key=_rank)
    yield _common(ordered, found.cell)
    yield _own(ordered)


def _rank(line: Line) -> float:
    return -float(np.nan_to_num(line.common.roc_auc[0.5].value, nan=-1))


def _key(line: Line) -> Row:
    return line.model, f"{line.patch_size} m", line.measure


def _common(lines: Sequence[Line], cell: int) -> Table:
    head = (
        "model",
        "patches",
        "measure",
        *(f"AUC g {'>' if s == 0 else '>='} {s:g} (95 %)" for s in SHARES),
        "AP g >= 0.5 (95 %)",
        "Spearman",
        "silent",
    )
    rows: list[Row] = [
        (
            *_key(line),
            *(cells.interval(line.common.roc_auc[share]) for share in SHARES),
            cells.interval(line.common.average_precision),
            cells.number(line.common.spearman, 3),
            f"{line.common.silent:,}",
        )
        for line in lines
    ]
    floor = cells.number(lines[0].common.floor, 3)
    rows.append(
        ("chance", cells.NONE, cells.NONE, *["0.500"] * len(SHARES), floor, "0", "0")
    )
    return f"On the common grid of {cell} m", head, rows


def _own(lines: Sequence[Line]) -> Table:
    head = (
        "model",
        "patches",
        "measure",
        "wholly changed",
        "AUC g >= 1 (95 %)",
        "best F1: precision, recall",
        "AUC g >= 0.5 (95 %)",
    )
    rows = [
        (
            *_key(line),
            f"{line.own.changed[1.0]:,} of {line.own.cells:,}",
            cells.interval(line.own.roc_auc[1.0]),
            ", ".join(cells.number(value, 2) for value in line.own.best),
            cells.interval(line.own.roc_auc[0.5]),
        )
        for line in lines
    ]
    return "Each on its own grid: these do not compare", head, rows


def notes(found: Compared) -> Iterator[str]:
    """How to read the tables."""
    yield (
        "g is the share of a cell that changed; cells below the share of a column are its "
        "negatives, so that at g >= 1 a cell that changed by 99 % is one; intervals: "
        f"{found.lines[0].common.blocks:,} blocks of ground drawn with replacement"
    )
    yield (
        "a map is averaged over each cell by area; a cell counts where every map covers "
        "at least half of it, and ranks last where a map says nothing of it"
    )
    yield (
        "the threshold of the best F1 is chosen by the labels themselves: an upper bound"
    )
    yield from found.notes
