"""Plain words for a change, from what happened to three spectral indices.

The words say what the indices say and no more: a burn, a clear-cut and a fresh quarry lower
NBR alike, so a strong fall is called burnt-like and not a fire.

Thresholds:

* NBR: after less before of -0.27 is where Key and Benson (2006, FIREMON, USDA RMRS-GTR-164)
  begin moderate burn severity, and 0.1 is where they end what is unburnt.
* NDVI: 0.3 is what lies between bare soil (0.2) and full cover (0.5) in Sobrino and Raissouni
  (2000, Int. J. Remote Sensing 21, 353-366). What is noticed, 0.1, is a third of it: ours.
* NDWI (McFeeters 1996) rises when vegetation goes as well as when water comes. From full
  canopy (green 0.06, near infrared 0.4) to a burn (0.05, 0.1) it rises by 0.4, to open
  water by 0.9 or more: 0.6 is between. From 0.2 it is water where NBR does not fall,
  since water takes away short-wave infrared, and bare ground does not. Both are ours.
"""

from dataclasses import dataclass
from math import isnan

NOTICED = 0.1
BURNT_LIKE = 0.27
STRONG = 0.3
WET = 0.2
WATER = 0.6


@dataclass(frozen=True, slots=True)
class Label:
    """What to call a change."""

    label: str
    """A few words, for a column."""
    description: str
    """One sentence with the numbers."""


def label(d_ndvi: float, d_nbr: float, d_ndwi: float) -> Label:
    """Name a change by its differences of indices, after less before; NaN is not known."""
    known = {"NDVI": d_ndvi, "NBR": d_nbr, "NDWI": d_ndwi}
    numbers = ", ".join(
        f"{name} {value:+.2f}" for name, value in known.items() if not isnan(value)
    )
    if not numbers:
        return Label("unnamed change", "No spectral index is known before and after.")
    words, sentence = _words(d_ndvi, d_nbr, d_ndwi)
    return Label(words, f"{sentence} ({numbers}).")


def _words(d_ndvi: float, d_nbr: float, d_ndwi: float) -> tuple[str, str]:
    # Comparisons with NaN are False, so what is not known decides nothing.
    loses = d_ndvi <= -NOTICED
    wet = d_ndwi >= WATER or (d_ndwi >= WET and d_nbr >= -NOTICED)
    rules = (
        (wet and not d_ndvi >= NOTICED, "wetter", "Water, or wet ground, came"),
        (
            loses and d_nbr <= -BURNT_LIKE,
            "vegetation lost, burnt-like",
            "Vegetation went and left ground as dry as after a fire or a cut",
        ),
        (d_ndvi <= -STRONG, "strong vegetation loss", "Most green vegetation went"),
        (loses, "vegetation loss", "Some green vegetation went"),
        (d_ndvi >= STRONG, "strong greening", "Dense green vegetation came"),
        (d_ndvi >= NOTICED, "greening", "Green vegetation came or grew denser"),
        (d_nbr <= -NOTICED, "drier or barer", "Drier or barer, as green as before"),
        (
            d_nbr >= NOTICED,
            "moister or darker",
            "Moister or darker, as green as before",
        ),
        (d_ndwi <= -WET, "drier", "Less water, as green as before"),
    )
    for holds, words, sentence in rules:
        if holds:
            return words, sentence
    return "little spectral change", "The indices stayed about the same"
