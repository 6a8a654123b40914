"""Figures that a notebook shows by themselves, without pyplot and its magic."""

from matplotlib.figure import Figure

from terradrift.report import ink


def displayed(figure: Figure) -> Figure:
    """The same figure; as the last value of a cell it is shown as a PNG."""
    # IPython asks the object; where `%matplotlib inline` is in force, that goes first.
    vars(figure)["_repr_png_"] = lambda: ink.png(figure)
    return figure
