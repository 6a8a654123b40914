"""An evaluation in one picture: precision over recall, errors of onsets, and a map."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from terradrift.evaluate import maps
from terradrift.evaluate.result import Evaluation
from terradrift.report import ink

_TOP = 3.9
"""Inches."""
_LONGEST = 120
"""Days at which the histogram ends; what is further off stands in its last bars."""
_SIDE = 12
"""Bars on either side of the truth."""


def figure(found: Evaluation) -> Figure:
    """Three panels; those of which there is nothing to show are left out."""
    picture = found.picture
    panels = [] if picture.corners is None else maps.areas(picture)
    rows, high = maps.layout(panels)
    with ink.style():
        drawn = Figure(figsize=(8.6, _TOP + high * rows + 0.3), layout="constrained")
        drawn.suptitle(f"{found.archive}: {found.method}", x=0.01, ha="left")
        heights = (_TOP, high * rows) if panels else (_TOP,)
        grid = drawn.add_gridspec(len(heights), 1, height_ratios=heights)
        _top(drawn, grid[0, 0], found)
        if panels:
            maps.draw(drawn, grid[1, 0], picture, panels, found.reported is not None)
    return drawn


def png(found: Evaluation) -> bytes:
    """The figure as a PNG."""
    return ink.png(figure(found))


def _top(drawn: Figure, place: SubplotSpec, found: Evaluation) -> None:
    dated = len(found.picture.days) > 0
    columns = place.subgridspec(1, 2 if dated else 1, wspace=0.06)
    _curve(drawn.add_subplot(columns[0, 0]), found)
    if dated:
        _onsets(drawn.add_subplot(columns[0, 1]), found)


def _curve(axes: Axes, found: Evaluation) -> None:
    ink.quiet(axes)
    curve, ranks = found.curve, found.ranking
    if np.isfinite(curve.low).any():
        axes.fill_between(
            curve.recall,
            curve.low,
            curve.high,
            color=ink.PERSISTENT,
            alpha=0.18,
            linewidth=0,
            label=f"{found.blocks.level:.0%} of draws of blocks",
        )
    axes.plot(
        curve.recall,
        curve.precision,
        color=ink.PERSISTENT,
        linewidth=1.8,
        label=f"average precision {ranks.average_precision.value:.3f}",
    )
    axes.axhline(
        ranks.floor,
        color=ink.FAINT,
        linewidth=1.0,
        linestyle=(0, (4, 3)),
        label=f"chance {ranks.floor:.3f}",
    )
    told = found.reported
    if told is not None and np.isfinite(told.precision.value):
        axes.plot(
            told.recall.value,
            told.precision.value,
            "o",
            color=ink.TRANSIENT,
            markersize=7,
            markeredgecolor=ink.PAPER,
            clip_on=False,
            zorder=5,
            label=f"what is reported: precision {told.precision.value:.2f}, "
            f"recall {told.recall.value:.2f}",
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.set_title("Ranking of patches", loc="left", fontsize=9, pad=12)
    _legend(axes, 1)


def _onsets(axes: Axes, found: Evaluation) -> None:
    ink.quiet(axes)
    days = found.picture.days
    width = max(math.ceil(_reach(days) / _SIDE), 1)
    edge = width * _SIDE
    shown = np.clip(days, -edge, edge - width / 2)
    signs = np.sign(days)
    axes.hist(
        [shown[signs < 0], shown[signs == 0], shown[signs > 0]],
        np.arange(-edge, edge + 1, width).tolist(),
        color=[ink.TRANSIENT, ink.FAINT, ink.PERSISTENT],
        label=[
            f"{name} ({int((signs == sign).sum()):,})"
            for sign, name in ((-1, "early"), (0, "to the day"), (1, "late"))
        ],
        edgecolor=ink.PAPER,
        linewidth=0.6,
        stacked=True,
    )
    middle = float(np.median(days))
    axes.axvline(0, color=ink.INK, linewidth=0.8)
    axes.plot(
        float(np.clip(middle, -edge, edge)),
        1.02,
        "v",
        color=ink.INK,
        markersize=6,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )
    axes.set(xlim=(-edge, edge), xlabel="onset less truth, days", ylabel="patches")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    title = f"Onsets: median {middle:+.0f} days"
    if beyond := int((np.abs(days) > edge).sum()):
        title += f"; {beyond:,} beyond, in the last bars"
    axes.set_title(title.replace("-", "\N{MINUS SIGN}"), loc="left", fontsize=9, pad=12)
    _legend(axes, 3)


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.2),
        fontsize=8,
        ncols=columns,
    )


def _reach(days: NDArray[np.float64]) -> float:
    """Days that the histogram reaches on both sides."""
    return float(np.clip(np.quantile(np.abs(days), 0.95), 12, _LONGEST))
