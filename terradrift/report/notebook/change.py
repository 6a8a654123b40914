"""One change as a figure: before, after, their difference, and the patch through time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL.Image import Image

from terradrift.report import ink
from terradrift.report.difference import Scale
from terradrift.report.history import History
from terradrift.report.history import draw as draw_history


@dataclass(frozen=True, slots=True, eq=False)
class Chip:
    """A picture, or why there is none."""

    heading: str
    image: Image | None
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What changed between two pictures, pixel by pixel."""

    values: NDArray[np.float32]
    """(y, x), after less before; NaN where not seen on both dates."""
    scale: Scale


def figure(
    title: str,
    chips: Sequence[Chip],
    difference: Difference | None,
    history: History | None,
) -> Figure:
    """Chips and difference in a row, the series of z below."""
    with ink.style():
        drawn = Figure(figsize=(9.6, 5.6))
        grid = drawn.add_gridspec(2, 3, height_ratios=(1.5, 1))
        for column, one in enumerate(chips):
            chip(drawn.add_subplot(grid[0, column]), one)
        _difference(drawn, drawn.add_subplot(grid[0, 2]), difference)
        below = drawn.add_subplot(grid[1, :])
        if history is None or not history.times:
            _none(below, "no series")
        else:
            draw_history(below, history)
        drawn.suptitle(title, x=0.02, ha="left", fontsize=10)
        drawn.tight_layout()
    return drawn


def chip(axes: Axes, one: Chip) -> None:
    """Draw a picture under its heading."""
    axes.set_title(one.heading, fontsize=8.5, loc="left")
    if one.image is None:
        _none(axes, one.why or "no picture")
    else:
        axes.set_axis_off()
        axes.imshow(np.asarray(one.image))


def _none(axes: Axes, why: str) -> None:
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, wrap=True
    )


def _difference(drawn: Figure, axes: Axes, one: Difference | None) -> None:
    if one is None or not np.isfinite(one.values).any():
        axes.set_title("Difference", fontsize=8.5, loc="left")
        _none(axes, "not both dates can be read")
        return
    axes.set_title(f"After less before, {one.scale.name}", fontsize=8.5, loc="left")
    axes.set_axis_off()
    most = one.scale.most
    shown = axes.imshow(
        one.values,
        cmap=one.scale.colours,
        vmin=-most,
        vmax=most,
        interpolation="nearest",
    )
    bar = drawn.colorbar(shown, ax=axes, fraction=0.046, pad=0.03, format="%+g")
    bar.outline.set_visible(False)
    bar.set_ticks([-most, 0, most])
