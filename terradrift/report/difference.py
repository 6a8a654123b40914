"""What changed pixel by pixel, in colours that mean the same for every change (pure).

Colours are ColorBrewer's diverging scales BrBG and PuOr, which people who cannot tell red
from green can read; the middle is nearly white, and what is not known is grey.
"""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from terradrift.embed import indices
from terradrift.report.data import colour
from terradrift.report.pictures import UNKNOWN


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers become colours; the same for all changes of an archive."""

    name: str
    most: float
    """At and beyond this the colour is full, on either side of 0."""
    colours: str
    """Name of the colour map."""
    less: str
    more: str

    @property
    def meaning(self) -> str:
        """In words (ASCII: it stands in a header too)."""
        return (
            f"change of {self.name}, after less before: {self.less} at -{self.most:g} or "
            f"below, white at 0, {self.more} at +{self.most:g} or above; grey: not seen on "
            "both dates"
        )

    def legend(self) -> dict[str, object]:
        """For a page: numbers and the colours that they have."""
        stops = np.linspace(-self.most, self.most, 9)
        rgb = (self.paint(stops[None])[0]).tolist()
        return {
            "meaning": self.meaning,
            "of": self.name,
            "low": -self.most,
            "high": self.most,
            "colours": ["#{:02x}{:02x}{:02x}".format(*one) for one in rgb],
            "unknown": "#{:02x}{:02x}{:02x}".format(*UNKNOWN),
        }

    def paint(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """(y, x, 3) colours of (y, x) values."""
        place = np.clip(0.5 + 0.5 * values / self.most, 0, 1)
        rgba = mpl.colormaps[self.colours](np.nan_to_num(place, nan=0.5))
        shown: NDArray[np.uint8] = np.round(255 * rgba[..., :3]).astype(np.uint8)
        shown[~np.isfinite(values)] = UNKNOWN
        return shown


NDVI = Scale("NDVI", 0.6, "BrBG", "brown", "blue-green")
"""Brown: less green than before."""
REFLECTANCE = Scale("mean reflectance", 0.15, "PuOr_r", "purple", "orange")
"""Purple: darker than before."""


def scale(bands: tuple[str, ...]) -> Scale:
    """That of NDVI where the bands give it, otherwise that of reflectance."""
    return NDVI if "ndvi" in indices.available(bands) else REFLECTANCE


def difference(
    before: NDArray[np.float32], after: NDArray[np.float32], bands: tuple[str, ...]
) -> NDArray[np.float32]:
    """(y, x) `after` less `before`, (band, y, x) each, of what `scale` says; NaN unknown."""
    if scale(bands) is NDVI:
        return indices.index("ndvi", after, bands, axis=0) - indices.index(
            "ndvi", before, bands, axis=0
        )
    shown = [bands.index(name) for name in colour(bands)]
    found: NDArray[np.float32] = after[shown].mean(axis=0) - before[shown].mean(axis=0)
    return found


def picture(values: NDArray[np.float32], how: Scale, side: int) -> Image.Image:
    """Colours of (y, x) values, `side` pixels a side; no pixel is mixed with another."""
    shown = Image.fromarray(how.paint(values))
    return shown.resize((side, side), Image.Resampling.NEAREST)
