"""The tree of kinds of change as one picture: what joins what, how many, and what they did."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from terradrift.report import ink

Row = Mapping[str, Any]
_INDICES = (("d_ndvi", "NDVI"), ("d_nbr", "NBR"), ("d_ndwi", "NDWI"))
_MOST = 60
"""Rows of a picture; the largest parts come first, and it is said what was left out."""
_KIND, _OTHER = ink.PERSISTENT, ink.FAINT


def draw(rows: Sequence[Row]) -> Figure:
    """Tree and names at the left, sizes in the middle, differences of indices at the right."""
    lines = ordered(rows)
    shown = lines[:_MOST]
    with ink.style():
        figure = Figure(figsize=(9.6, 0.9 + 0.27 * max(len(shown), 1)))
        tree, size, *indices = figure.subplots(
            1, 5, sharey=True, width_ratios=(5.2, 1.6, 1, 1, 1)
        )
        _tree(tree, shown, len(lines) - len(shown))
        _sizes(size, [row for _, row in shown])
        for axes, (column, name) in zip(indices, _INDICES, strict=True):
            _index(axes, [row for _, row in shown], column, name)
        tree.set_ylim(max(len(shown), 1) - 0.4, -0.6)
        figure.tight_layout(w_pad=0.6)
    return figure


def ordered(rows: Sequence[Row]) -> list[tuple[int, Row]]:
    """Depth and row, depth first; of what stands side by side the best ranked first."""
    below: dict[int | None, list[Row]] = {}
    for row in rows:
        below.setdefault(row["parent"], []).append(row)
    best: dict[int, float] = {}

    def rank(row: Row) -> float:
        if row["kind"] not in best:
            own = np.inf if row["rank"] is None else float(row["rank"])
            inner = (rank(each) for each in below.get(row["kind"], ()))
            best[row["kind"]] = min([own, *inner])
        return best[row["kind"]]

    out: list[tuple[int, Row]] = []
    waiting: list[tuple[int, Row]] = []

    def push(depth: int, parent: int | None) -> None:
        side = sorted(
            below.get(parent, ()),
            key=lambda row: (rank(row), -(row["size"] or 0), row["kind"]),
            reverse=True,
        )
        waiting.extend((depth, row) for row in side)

    push(0, None)
    while waiting:
        depth, row = waiting.pop()
        out.append((depth, row))
        push(depth + 1, row["kind"])
    return out


def _tree(axes: Axes, lines: Sequence[tuple[int, Row]], left: int) -> None:
    axes.axis("off")
    axes.set_xlim(0, 1)
    step = min(0.06, 0.3 / (1 + max((depth for depth, _ in lines), default=0)))
    at: list[int] = []  # the row of each depth that was last seen
    for y, (depth, row) in enumerate(lines):
        del at[depth:]
        if at:
            x = step * (depth - 0.6)
            axes.plot(
                [x, x, x + 0.45 * step], [at[-1] + 0.3, y, y], color=_OTHER, lw=0.8
            )
        at.append(y)
        is_kind = row["role"] == "kind"
        axes.text(
            step * depth,
            y,
            _words(row),
            va="center",
            fontsize=8.5 if is_kind else 7.5,
            fontweight="bold" if row["name"] else "normal",
            color=ink.INK if is_kind else _OTHER,
        )
    if left:
        axes.set_title(f"{left} more are not drawn", fontsize=7.5, loc="left")


def _words(row: Row) -> str:
    said = f"{row['kind']}  {row['name'] or row['label'] or ''}"
    if row["role"] != "kind":
        return f"{said} ({row['role']})"
    known = [row["rarity"], row["magnitude"]]
    if None in known:
        return said
    return f"{said}   rarity {known[0]:.2f} x {known[1]:.1f}"


def _sizes(axes: Axes, rows: Sequence[Row]) -> None:
    ink.quiet(axes)
    sizes = [max(row["size"] or 0, 0) for row in rows]
    colours = [_KIND if row["role"] == "kind" else _OTHER for row in rows]
    axes.barh(range(len(rows)), sizes, height=0.62, color=colours)
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xlim(0, 6 * max([10, *sizes]))
    for y, size in enumerate(sizes):
        axes.text(size * 1.1 + 0.4, y, f"{size:,}", va="center", fontsize=7.5)
    axes.set_title("changes", fontsize=9)
    axes.set_xticks([])
    axes.minorticks_off()
    axes.tick_params(left=False)
    axes.spines["bottom"].set_visible(False)


def _index(axes: Axes, rows: Sequence[Row], column: str, name: str) -> None:
    ink.quiet(axes)
    values = [np.nan if row[column] is None else float(row[column]) for row in rows]
    reach = max(0.1, float(np.nanmax(np.abs([*values, 0.0]))))
    axes.axvline(0, color=_OTHER, lw=0.7)
    axes.barh(
        range(len(rows)),
        values,
        height=0.5,
        color=[ink.TRANSIENT if value < 0 else ink.GRADUAL for value in values],
    )
    axes.set_xlim(-1.1 * reach, 1.1 * reach)
    axes.set_title(name, fontsize=9)
    axes.set_xticks([-reach, 0, reach], [f"{-reach:.1f}", "0", f"{reach:.1f}"])
    axes.tick_params(left=False, labelsize=7)
    axes.spines["left"].set_visible(False)
