"""One event as one picture of its own: chips, series and figures side by side."""

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from terradrift.report import ink
from terradrift.report.cards import Card, Picture
from terradrift.report.history import draw


def poster(card: Card) -> Figure:
    """Before, after, z over time, and what is known of the event."""
    with ink.style():
        figure = Figure(figsize=(11, 4.8))
        grid = figure.add_gridspec(
            2, 3, width_ratios=(1, 1, 1.5), height_ratios=(1, 1.45)
        )
        for column, picture in enumerate(card.pictures):
            _chip(figure.add_subplot(grid[:, column]), picture)
        series = figure.add_subplot(grid[0, 2])
        if card.series is None:
            series.set_axis_off()
        else:
            draw(series, card.series)
        facts = figure.add_subplot(grid[1, 2])
        facts.set_axis_off()
        text = "\n".join(
            fill(f"{name}: {value}", 62, subsequent_indent="    ")
            for name, value in card.facts
        )
        facts.text(0, 1.0, text, va="top", linespacing=1.5)
        figure.suptitle(
            f"{card.rank}  {card.label}, {card.when}, {card.persistence}\n{card.place}",
            x=0.02,
            ha="left",
            fontsize=10,
        )
        figure.tight_layout()
    return figure


def _chip(axes: Axes, picture: Picture) -> None:
    axes.set_axis_off()
    axes.set_title(f"{picture.heading}, {picture.date}", fontsize=9)
    if picture.image is None:
        axes.text(0.5, 0.5, "no picture", ha="center", transform=axes.transAxes)
    else:
        axes.imshow(np.asarray(picture.image))
