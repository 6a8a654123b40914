"""The reliability figure: how often p-values occur, beside how often they say they do."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from terradrift.evaluate.operational.reliability import Share
from terradrift.evaluate.operational.result import Calibration
from terradrift.report import ink

_LEVELS = (0.05, 0.01)
"""Shown by season and reference."""
_LEAST = 100
"""Groups of fewer p-values are not drawn."""
_ROWS = 16
_REACH = (0.1, 10.0)
"""Times as often as they say; what is further off is an arrow at the edge, with its number."""
_TIMES = (0.1, 0.2, 0.5, 1, 2, 5, 10)


def figure(found: Calibration) -> Figure:
    """Two panels: over the level; and at two levels, by season and reference."""
    parts = {
        name: one
        for name, one in {**found.seasons, **found.strata}.items()
        if one.levels.count >= _LEAST
    }
    shown = dict(list(parts.items())[:_ROWS])
    with ink.style():
        drawn = Figure(
            figsize=(9.6, 2.2 + 0.24 * max(len(shown), 9)), layout="constrained"
        )
        drawn.suptitle(
            f"{found.archive}, {found.model}: are p-values what they say?",
            x=0.01,
            ha="left",
        )
        left, right = drawn.subplots(1, 2)
        _over_levels(left, found)
        _by_group(right, shown)
    return drawn


def write(found: Calibration, folder: Path | str) -> list[Path]:
    """Write calibration.json and calibration.png; gives their paths.

    Each appears whole or not at all.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    parts = {
        "calibration.json": (json.dumps(found.to_dict(), indent=2) + "\n").encode(),
        "calibration.png": ink.png(figure(found)),
    }
    for name, content in parts.items():
        partial = out / f".{name}.partial"
        partial.write_bytes(content)
        partial.replace(out / name)
    return [out / name for name in parts]


def _over_levels(axes: Axes, found: Calibration) -> None:
    ink.quiet(axes)
    axes.set_xscale("log")
    axes.axhline(1, color=ink.FAINT, linewidth=1.0, linestyle=(0, (4, 3)))
    for name, one, colour, mark in (
        ("observations", found.frames, ink.PERSISTENT, "o"),
        ("whole histories", found.histories, ink.TRANSIENT, "s"),
    ):
        levels = one.levels
        low, high = (
            np.clip(each / levels.alphas, *_REACH) for each in (levels.low, levels.high)
        )
        axes.fill_between(
            levels.alphas, low, high, color=colour, alpha=0.18, linewidth=0
        )
        some = levels.share > 0
        times = levels.share / levels.alphas
        _beyond(axes, levels.alphas[some], times[some], colour, "y")
        axes.plot(
            levels.alphas[some],
            times[some],
            color=colour,
            linewidth=1.6,
            marker=mark,
            markersize=4,
            label=f"{name} ({levels.count:,})",
        )
    _times(axes, "y")
    axes.set(xlabel="p-value", ylabel="occurs so many times as often as it says")
    axes.xaxis.set_major_locator(FixedLocator((0.001, 0.01, 0.05, 0.2)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _at: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title("All, with 95 % intervals", loc="left", fontsize=9, pad=10)
    axes.legend(frameon=False, loc="lower right", fontsize=8)


def _by_group(axes: Axes, groups: Mapping[str, Share]) -> None:
    ink.quiet(axes)
    axes.axvline(1, color=ink.FAINT, linewidth=1.0, linestyle=(0, (4, 3)))
    rows = np.arange(len(groups))
    for number, (level, colour, mark) in enumerate(
        zip(_LEVELS, (ink.PERSISTENT, ink.TRANSIENT), ("o", "s"), strict=True)
    ):
        value, low, high = (
            np.array([_at(one, level, which) for one in groups.values()])
            for which in ("share", "low", "high")
        )
        place = rows + 0.3 * (number - 0.5)
        start, end = (np.clip(each, *_REACH) for each in (low, high))
        axes.hlines(place, start, end, color=colour, linewidth=1.4)
        _beyond(axes, place, value, colour, "x")
        inside = (value >= _REACH[0]) & (value <= _REACH[1])
        axes.plot(
            value[inside],
            place[inside],
            mark,
            color=colour,
            markersize=4,
            clip_on=False,
            label=f"p \N{LESS-THAN OR EQUAL TO} {level:g}",
        )
    _times(axes, "x")
    axes.set(xlabel="times as often as it says", ylim=(max(len(groups), 1) - 0.4, -0.6))
    axes.set_yticks(
        rows, [f"{name} ({one.levels.count:,})" for name, one in groups.items()]
    )
    axes.set_title(
        "Observations, by season and reference", loc="left", fontsize=9, pad=10
    )
    if groups:
        axes.legend(frameon=False, loc="best", fontsize=8)


def _at(one: Share, level: float, which: str) -> float:
    """A share or bound, in units of the level."""
    at = int(np.abs(one.levels.alphas - level).argmin())
    return float(getattr(one.levels, which)[at]) / level


def _beyond(
    axes: Axes,
    place: NDArray[np.floating],
    value: NDArray[np.floating],
    colour: str,
    which: str,
) -> None:
    """An arrow with its number at the edge for each value that lies off the axis `which`."""
    for at, one in zip(place, value, strict=True):
        if _REACH[0] <= one <= _REACH[1] or np.isnan(one):
            continue
        above = bool(one > _REACH[1])
        edge = _REACH[int(above)]
        inward = -1 if above else 1
        upright = which == "y"
        spot = (at, edge) if upright else (edge, at)
        mark = ("v^" if upright else "<>")[int(above)]
        axes.plot(*spot, mark, color=colour, markersize=6, clip_on=False, zorder=4)
        axes.annotate(
            f"{one:.2g}",
            spot,
            xytext=(7, 4 * inward) if upright else (7 * inward, 0),
            textcoords="offset points",
            ha="left" if upright or not above else "right",
            va="center",
            fontsize=8,
            color=ink.INK,
        )


def _times(axes: Axes, which: str) -> None:
    """Ratios along an axis."""
    if which == "x":
        axes.set(xscale="log", xlim=_REACH)
    else:
        axes.set(yscale="log", ylim=_REACH)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(_TIMES))
    axis.set_major_formatter(FuncFormatter(lambda value, _at: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
