"""The first matches of a search as a grid of pictures."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from terradrift.report import ink
from terradrift.report.notebook.change import Chip, chip

_ACROSS = 3
"""Matches side by side."""


def grid(title: str, matches: Sequence[Sequence[Chip]]) -> Figure:
    """Matches in rows of three, nearest first; of each one picture, or before and after."""
    each = max(map(len, matches), default=1)
    across = min(_ACROSS, len(matches))
    down = -(-len(matches) // across)
    with ink.style():
        drawn = Figure(figsize=(1.75 * each * across + 0.4, 2.15 * down + 0.5))
        axes = drawn.subplots(down, each * across, squeeze=False)
        for one in axes.flat:
            one.set_axis_off()
        for i, chips in enumerate(matches):
            row, column = divmod(i, across)
            for j, one in enumerate(chips):
                chip(axes[row, column * each + j], one)
        drawn.suptitle(title, x=0.02, ha="left", fontsize=10)
        drawn.tight_layout()
    return drawn
