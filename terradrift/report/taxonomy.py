"""Pictures of a taxonomy: a map of regimes, their tree, a card of each, and colours of paths."""

from math import ceil, cos, radians
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform

from terradrift.report import ink
from terradrift.report.taxonomy_data import Drawn, Regime
from terradrift.report.taxonomy_ink import Paint, paints

_UNKNOWN = "#e3e6e8"
_WIDE, _BESIDE, _MOST_HIGH = 5.6, 4.2, 8.0
"""Inches of a map, of the legend beside it, and the most that a map is high."""
_COLUMNS = 3
_CARD = (3.5, 2.2)
_HATCH = 0.0
_LINE = 44
"""Letters of a line above a card."""


def regime_map(drawn: Drawn) -> Figure:
    """Where each regime is; the legend counts patches."""
    looks = paints(drawn)
    with ink.style():
        figure, axes = _frame(drawn)
        for leaf in drawn.leaves:
            rows: NDArray[np.bool_] = drawn.leaf == leaf.number
            if rows.any():
                _fill(axes, drawn, rows, looks[leaf.number])
        unknown: NDArray[np.bool_] = drawn.leaf < 0
        if unknown.any():
            _fill(axes, drawn, unknown, Paint(_UNKNOWN, ""))
        handles = [
            _handle(looks[leaf.number], f"{leaf.label} ({leaf.share:.0%})")
            for leaf in drawn.leaves
        ]
        if unknown.any():
            handles.append(
                _handle(Paint(_UNKNOWN, ""), f"no regime ({unknown.sum():,})")
            )
        axes.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(1.02, 1.0),
            borderaxespad=0,
            frameon=False,
            fontsize=8,
        )
        axes.set_title(f"{drawn.title}: regimes", loc="left", fontsize=10)
    return figure


def colour_map(drawn: Drawn) -> Figure:
    """Three components of each patch's path as red, green and blue: alike is alike."""
    with ink.style():
        figure, axes = _frame(drawn)
        known = np.isfinite(drawn.colours).all(axis=1, keepdims=True)
        shown = np.where(known, drawn.colours, 0.88)
        axes.add_collection(
            PolyCollection(
                list(drawn.corners),
                facecolor=shown,
                edgecolor=shown,
                linewidth=0.2,
                rasterized=True,
            )
        )
        axes.set_title(f"{drawn.title}: paths as colours", loc="left", fontsize=10)
        axes.text(
            1.02,
            1.0,
            "Red, green and blue are the first three\nprincipal components of the paths.\n"
            f"They hold {drawn.explained:.0%} of their variance.\n\n"
            "The same colour: the same course through\ntime. Grey: not seen often enough.",
            transform=axes.transAxes,
            va="top",
            fontsize=8,
        )
    return figure


def tree(drawn: Drawn) -> Figure:
    """Which paths are alike: leaves joined by the mean distance of their paths."""
    looks, leaves = paints(drawn), drawn.leaves
    with ink.style():
        figure = Figure(figsize=(9.2, 1.0 + 0.34 * len(leaves)), layout="constrained")
        axes = figure.subplots()
        ink.quiet(axes)
        axes.spines["left"].set_visible(False)
        order, top = list(range(len(leaves))), 1.0
        if len(leaves) > 1:
            joined = linkage(squareform(drawn.distances, checks=False), "average")
            found = dendrogram(joined, orientation="right", no_plot=True)
            for across, up in zip(found["dcoord"], found["icoord"], strict=True):
                axes.plot(across, up, color=ink.INK, linewidth=1.0)
            order, top = found["leaves"] or order, float(joined[:, 2].max())
        for place, at in enumerate(order):
            leaf, y = leaves[at], 10.0 * place + 5
            paint = looks[leaf.number]
            axes.scatter(
                [0],
                [y],
                s=90,
                color=paint.colour,
                edgecolor=ink.INK,
                linewidth=0.5,
                zorder=3,
            )
            axes.annotate(
                f"{leaf.label}, {leaf.share:.0%}",
                (0, y),
                xytext=(10, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
                annotation_clip=False,
            )
        axes.set(xlim=(top * 1.05, -0.9 * top), ylim=(0, 10 * len(leaves)), yticks=[])
        ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= top * 1.05]
        axes.set_xticks(ticks)
        axes.spines["bottom"].set_bounds(0, top * 1.05)
        axes.set_xlabel("mean distance of paths", loc="left")
        axes.set_title(
            f"{drawn.title}: which regimes are alike", loc="left", fontsize=10
        )
    return figure


def cards(drawn: Drawn) -> Figure:
    """Of each leaf the course of an index: members, their spread, and who is typical."""
    looks, leaves = paints(drawn), drawn.leaves
    rows = max(ceil(len(leaves) / _COLUMNS), 1)
    with ink.style():
        figure = Figure(
            figsize=(_CARD[0] * _COLUMNS, _CARD[1] * rows + 0.6), layout="constrained"
        )
        figure.suptitle(
            f"{drawn.title}: {drawn.index} of each regime. Line: median of its patches; band: "
            "80 % of them; dots: patches most like it",
            x=0.01,
            ha="left",
            fontsize=9.5,
        )
        grid = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
        for at, axes in enumerate(grid.flat):
            if at < len(leaves):
                _card(axes, drawn, leaves[at], looks[leaves[at].number])
            else:
                axes.set_axis_off()
        _limits(grid[0, 0], drawn)
    return figure


def _card(axes: Axes, drawn: Drawn, leaf: Regime, paint: Paint) -> None:
    ink.quiet(axes)
    axes.tick_params(labelsize=7.5, labelbottom=True)
    words = fill(f"{leaf.label}: {leaf.size:,} patches, {leaf.share:.0%}", _LINE)
    axes.set_title(words, loc="left", fontsize=8.5)
    course = drawn.courses.get(leaf.number)
    if course is None or len(course.days) == 0:
        axes.text(0.5, 0.5, "no index is known", ha="center", transform=axes.transAxes)
        return
    ink.dates(axes, 3, 5)
    axes.fill_between(
        course.days,
        course.low,
        course.high,
        color=paint.colour,
        alpha=0.35,
        linewidth=0,
    )
    for days, values in course.typical:
        axes.plot(days, values, ".", color=ink.INK, markersize=2.2, alpha=0.6)
    axes.plot(course.days, course.middle, color=ink.INK, linewidth=1.6)
    axes.plot(course.days, course.middle, color=paint.colour, linewidth=1.0)


def _limits(axes: Axes, drawn: Drawn) -> None:
    ends = [
        value
        for course in drawn.courses.values()
        for value in (*course.low, *course.high)
        if np.isfinite(value)
    ]
    if ends:
        axes.set_ylim(min(*ends, 0) - 0.03, max(ends) + 0.05)


def _frame(drawn: Drawn) -> tuple[Figure, Axes]:
    low, high = drawn.corners.min((0, 1)), drawn.corners.max((0, 1))
    narrow = max(cos(radians(float(low[1] + high[1]) / 2)), 0.02)
    span = np.maximum(high - low, 1e-9)
    ratio = float(span[1] / (span[0] * narrow))
    wide = min(_WIDE, _MOST_HIGH / ratio)
    tall = max(wide * ratio, 2.0)
    figure = Figure(figsize=(wide + _BESIDE, tall + 0.5))
    axes = figure.add_axes(
        (
            0.15 / (wide + _BESIDE),
            0.1 / (tall + 0.5),
            wide / (wide + _BESIDE),
            tall / (tall + 0.5),
        )
    )
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_aspect(1 / narrow)
    axes.set_anchor("NW")
    axes.set_axis_off()
    return figure, axes


def _fill(axes: Axes, drawn: Drawn, rows: NDArray[np.bool_], paint: Paint) -> None:
    axes.add_collection(
        PolyCollection(
            list(drawn.corners[rows]),
            facecolor=paint.colour,
            # Neighbours would show a seam of background between them.
            edgecolor=ink.INK if paint.hatch else paint.colour,
            hatch=paint.hatch or None,
            linewidth=_HATCH if paint.hatch else 0.2,
            rasterized=True,
        )
    )


def _handle(paint: Paint, label: str) -> Patch:
    return Patch(
        facecolor=paint.colour,
        hatch=paint.hatch or None,
        edgecolor=ink.INK,
        linewidth=0.4,
        label=label,
    )
