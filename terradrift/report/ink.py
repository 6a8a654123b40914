"""Figures that follow the page: ink and paper are the page's own colours (light or dark)."""

import io
import re
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

INK, PAPER, FAINT = "#1d2329", "#fdfdfc", "#8b949c"
"""Colours of a figure on its own; in a page each becomes a CSS variable."""

PERSISTENT, TRANSIENT = "#3a7fb5", "#d0782a"
"""Blue and orange that differ in lightness too; both stand out on white and on black."""
GRADUAL, SEASONAL = "#3d8f68", "#9a70bd"
"""Green and violet beside them."""

_VARIABLES = {INK: "var(--ink)", PAPER: "var(--paper)", FAINT: "var(--faint)"}
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "svg.fonttype": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "hatch.linewidth": 0.8,
}


def style() -> AbstractContextManager[None]:
    """The look of all figures, inside a `with` block."""
    return rc_context(_STYLE)


def quiet(axes: Axes) -> None:
    """Thin lines, no frame."""
    axes.set_facecolor("none")
    axes.tick_params(length=3)


def days(at: datetime) -> float:
    """Days since 1970, as matplotlib counts instants."""
    return at.timestamp() / 86_400


def dates(axes: Axes, least: int, most: int) -> None:
    """Dates along x, as few words as tell them apart."""
    locator = AutoDateLocator(minticks=least, maxticks=most)  # type: ignore[no-untyped-call]  # matplotlib has no types here
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # likewise


def svg(figure: Figure, salt: str) -> str:
    """The figure as an `<svg>` element for a page; ids do not clash if salts differ."""
    figure.patch.set_alpha(0)
    target = io.BytesIO()
    with rc_context({**_STYLE, "svg.hashsalt": salt}):
        # The dots per inch of what is drawn as pixels inside.
        figure.savefig(
            target, format="svg", dpi=190, metadata={"Date": None, "Creator": None}
        )
    text = target.getvalue().decode("utf-8")
    text = re.sub(
        r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL
    )
    # matplotlib names the same shapes alike in every figure of a page.
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{salt}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    size = re.search(r'viewBox="[^"]+"', text)
    viewbox = size[0] if size else ""
    return re.sub(r"<svg [^>]*>", _opening(viewbox), text, count=1)


def _opening(viewbox: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" {viewbox} aria-hidden="true">'
    )


def png(figure: Figure) -> bytes:
    """The figure as a PNG on light paper."""
    figure.patch.set_facecolor(PAPER)
    figure.patch.set_alpha(1)
    target = io.BytesIO()
    with style():
        figure.savefig(target, format="png", dpi=160, metadata={"Software": None})
    return target.getvalue()
