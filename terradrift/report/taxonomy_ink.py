"""Colours of regimes: a hue for each ground, lighter and darker for its paths.

The hues are those of Okabe and Ito (2008, "Color universal design"), which people of any colour
vision tell apart; where there are more grounds than hues, hatching tells the second round.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from terradrift.report.taxonomy_data import Drawn
from terradrift.store.out.colours import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
)

_GREY = "#6b6b6b"
_HUES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, _GREY)
_HATCHES = ("", "....", "////", "xxxx")
_LIGHTEST, _DARKEST = 0.62, -0.4
"""Towards white, and towards black."""


@dataclass(frozen=True, slots=True)
class Paint:
    """How a leaf is drawn."""

    colour: str
    hatch: str


def paints(drawn: Drawn) -> dict[int, Paint]:
    """A paint for each leaf, by its number."""
    grounds: list[int] = []
    found = {}
    for leaf in drawn.leaves:
        top = leaf.number if leaf.parent is None else leaf.parent
        if top not in grounds:
            grounds.append(top)
        at = grounds.index(top)
        siblings = [one.number for one in drawn.siblings(leaf)]
        shift = _shift(siblings.index(leaf.number), len(siblings))
        found[leaf.number] = Paint(
            _towards(_HUES[at % len(_HUES)], shift),
            _HATCHES[(at // len(_HUES)) % len(_HATCHES)],
        )
    return found


def _shift(at: int, many: int) -> float:
    """-1..1: the hue itself alone, else from dark to light."""
    if many == 1:
        return 0.0
    return float(np.linspace(_DARKEST, _LIGHTEST, many)[at])


def _towards(colour: str, shift: float) -> str:
    end = 1.0 if shift > 0 else 0.0
    mixed = np.array(to_rgb(colour)) * (1 - abs(shift)) + end * abs(shift)
    return str(to_hex(mixed.tolist()))
