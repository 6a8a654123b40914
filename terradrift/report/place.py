"""Where changes are: a map of all patches, north up."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from numpy.typing import NDArray

from terradrift.report import ink
from terradrift.report.data import ReportData, ranked

_METRES_PER_DEGREE = 111_320.0
_COLOURS = "viridis"
_FINE = 20_000


def place(data: ReportData) -> Figure | None:
    """The map of a report, with the ranks of the events shown with pictures."""
    best = ranked(data.events, data.top)
    return mapped(data.corners, data.values, data.values_name, best)


def mapped(
    corners: NDArray[np.float64], values: NDArray[np.float32], name: str, best: pa.Table
) -> Figure | None:
    """The map, or None where there are no patches.

    Patches without a value are hatched; patches that were judged and did not change are
    grey; the rest is coloured.

    Args:
        corners: (n, 4, 2), longitude and latitude of the corners of every patch.
        values: (n,), NaN where nothing could be said, 0 where nothing changed.
        name: of `values`.
        best: events (`rank`, `longitude`, `latitude`) whose rank is written beside them.
    """
    if not len(values):
        return None
    low, high = corners.min((0, 1)), corners.max((0, 1))
    wide = math.cos(math.radians(float(low[1] + high[1]) / 2))
    span = np.maximum(high - low, 1e-6)
    ratio = float(span[1] / (span[0] * wide))
    with ink.style():
        figure = Figure(figsize=(7.6, min(max(6.0 * ratio, 2.4), 9.5) + 0.7))
        axes = figure.add_subplot()
        ink.quiet(axes)
        _patches(figure, axes, corners, values, name)
        _ranks(axes, best)
        axes.set_xlim(low[0] - 0.02 * span[0], high[0] + 0.02 * span[0])
        axes.set_ylim(low[1] - 0.02 * span[1], high[1] + 0.02 * span[1])
        axes.set_aspect(1 / max(wide, 0.02))
        axes.set_anchor("W")
        _axes_in_degrees(axes)
        _scale_bar(axes, wide)
        figure.tight_layout()
    return figure


def _patches(
    figure: Figure,
    axes: Axes,
    corners: NDArray[np.float64],
    values: NDArray[np.float32],
    name: str,
) -> None:
    unknown, still = np.isnan(values), values == 0
    moved = ~unknown & ~still
    if still.any():
        axes.add_artist(_region(corners[still], facecolor=ink.FAINT, alpha=0.22))
    if unknown.any():
        hatched = _region(
            corners[unknown],
            facecolor="none",
            edgecolor=ink.FAINT,
            linewidth=0.3,
            hatch="/////",
        )
        axes.add_artist(hatched)
    if not moved.any():
        return
    shown = _coloured(corners[moved], values[moved])
    axes.add_collection(shown)
    bar = figure.colorbar(
        shown, ax=axes, fraction=0.035, pad=0.02, shrink=0.6, format="%g"
    )
    bar.set_label(name)
    bar.outline.set_visible(False)
    if isinstance(shown.norm, LogNorm):
        bar.locator = LogLocator(subs=(1, 2, 5))
        bar.update_ticks()
    bar.ax.minorticks_off()


def _coloured(
    corners: NDArray[np.float64], values: NDArray[np.float32]
) -> PathCollection:
    """Patches in their colours: those of one colour are one path, of however many squares."""
    norm, colours = _norm(values), colormaps[_COLOURS]
    step = np.floor(np.asarray(norm(values)) * colours.N).clip(0, colours.N - 1)
    order = np.argsort(step, kind="stable")
    _, first = np.unique(step[order], return_index=True)
    closed = np.concatenate([corners, corners[:, :1]], axis=1)
    codes = np.full(5, Path.LINETO, Path.code_type)
    codes[0], codes[-1] = Path.MOVETO, Path.CLOSEPOLY
    paths = [
        Path(closed[rows].reshape(-1, 2), np.tile(codes, len(rows)))
        for rows in np.split(order, first[1:])
    ]
    return PathCollection(
        paths,
        array=values[order[first]],
        cmap=colours,
        norm=norm,
        # Neighbours would show a seam of background between them.
        edgecolor="face",
        linewidth=0.2,
        rasterized=True,
    )


def _region(corners: NDArray[np.float64], **look: Any) -> PathPatch:  # noqa: ANN401 - as matplotlib takes it
    """Many patches as one shape; as pixels where the shape is too fine to be drawn."""
    # Neighbours share corners to the last digit but for rounding.
    squares = shapely.polygons(np.round(corners, 9))
    # Holes must run the other way round than outlines, or they would be filled.
    whole = shapely.normalize(shapely.coverage_union_all(squares))
    rings = shapely.get_rings(shapely.get_parts(whole))
    ends = np.cumsum(shapely.get_num_coordinates(rings))
    codes = np.full(ends[-1], Path.LINETO, Path.code_type)
    codes[np.r_[0, ends[:-1]]] = Path.MOVETO
    codes[ends - 1] = Path.CLOSEPOLY
    path = Path(shapely.get_coordinates(rings), codes)
    fine = len(codes) > _FINE
    return PathPatch(path, rasterized=fine, **({"linewidth": 0} | look))


def _norm(values: NDArray[np.float32]) -> Normalize:
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    if low <= 0 or high / low < 30:
        return Normalize(low, max(high, low + 1e-6))
    return LogNorm(low, high)


def _ranks(axes: Axes, best: pa.Table) -> None:
    for row in best.to_pylist():
        if row["longitude"] is None:
            continue
        axes.annotate(
            str(row["rank"]),
            (row["longitude"], row["latitude"]),
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            color=ink.INK,
            path_effects=[withStroke(linewidth=2.6, foreground=ink.PAPER)],
        )


def _axes_in_degrees(axes: Axes) -> None:
    for axis, names in ((axes.xaxis, "EW"), (axes.yaxis, "NS")):
        axis.set_major_locator(MaxNLocator(4))
        low, high = axis.get_view_interval()
        digits = max(0, min(5, 2 - math.floor(math.log10(max(high - low, 1e-9)))))
        axis.set_major_formatter(FuncFormatter(_degrees(digits, names)))


def _degrees(digits: int, names: str) -> Callable[[float, int | None], str]:
    def text(value: float, _position: int | None) -> str:
        name = names[0] if value >= 0 else names[1]
        return f"{abs(value):.{digits}f}° {name}"

    return text


def _scale_bar(axes: Axes, wide: float) -> None:
    """A bar of a round length, about a quarter of the map, and which way is north."""
    west, east = axes.get_xlim()
    metres = (east - west) * wide * _METRES_PER_DEGREE
    power = 10 ** math.floor(math.log10(metres / 4))
    length = max(step * power for step in (1, 2, 5) if step * power <= metres / 4)
    part = length / metres
    axes.plot(
        [0.0, part],
        [1.025, 1.025],
        transform=axes.transAxes,
        color=ink.INK,
        linewidth=2.2,
        solid_capstyle="butt",
        clip_on=False,
    )
    name = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(part + 0.015, 1.025, name, transform=axes.transAxes, va="center")
    axes.annotate(
        "N",
        (0.985, 1.07),
        (0.985, 1.015),
        xycoords="axes fraction",
        ha="center",
        va="center",
        annotation_clip=False,
        arrowprops={"arrowstyle": "-|>", "color": ink.INK, "linewidth": 1.0},
    )
