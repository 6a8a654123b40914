"""Surface reflectance of materials in the ten 10 m and 20 m bands of Sentinel-2 (pure).

Typical L2A values of temperate Europe, of the size that Sen2Cor products show; within a
class they are varied per parcel and per pixel.
"""

import numpy as np
from numpy.typing import NDArray

BANDS: dict[str, tuple[str, float]] = {
    "B02": ("blue", 0.490),
    "B03": ("green", 0.560),
    "B04": ("red", 0.665),
    "B05": ("rededge071", 0.705),
    "B06": ("rededge075", 0.740),
    "B07": ("rededge078", 0.783),
    "B08": ("nir", 0.842),
    "B8A": ("nir08", 0.865),
    "B11": ("swir16", 1.610),
    "B12": ("swir22", 2.190),
}
"""Sentinel-2 band: STAC 1.1 common name, centre wavelength in um."""

_PERCENT: dict[str, tuple[float, ...]] = {
    "soil": (7.0, 9.6, 12.6, 15.0, 17.0, 18.4, 20.0, 21.8, 29.0, 25.5),
    "crop": (2.8, 6.4, 2.8, 9.6, 30.0, 39.0, 43.0, 44.0, 20.0, 9.5),
    "grass": (3.4, 6.6, 4.0, 10.4, 25.0, 31.0, 34.5, 36.0, 21.5, 11.5),
    "deciduous": (2.0, 4.4, 2.2, 7.0, 24.0, 31.0, 34.0, 35.0, 15.5, 6.8),
    "conifer": (1.5, 2.9, 1.7, 4.2, 13.0, 16.5, 18.3, 19.2, 8.6, 3.9),
    "litter": (4.0, 5.4, 6.6, 8.6, 11.5, 12.8, 14.0, 15.6, 18.5, 12.5),
    "dry": (7.8, 11.8, 16.6, 20.0, 23.0, 25.4, 27.6, 29.8, 36.5, 27.5),
    "yellow": (4.6, 13.5, 12.0, 15.5, 31.0, 39.0, 43.0, 44.0, 20.0, 10.0),
    "asphalt": (8.4, 9.4, 10.2, 10.9, 11.5, 12.0, 12.5, 13.0, 14.8, 14.2),
    "tile": (7.0, 9.0, 13.6, 15.6, 17.6, 18.6, 19.6, 20.6, 24.0, 21.5),
    "concrete": (20.0, 23.0, 25.0, 26.0, 27.0, 28.0, 28.5, 29.0, 29.5, 27.5),
    "water": (4.2, 4.4, 2.9, 2.5, 2.0, 1.8, 1.5, 1.4, 0.8, 0.6),
    "turbid": (6.8, 9.2, 9.6, 9.2, 6.2, 5.6, 4.6, 4.2, 1.6, 1.1),
    "sand": (14.0, 19.0, 24.0, 26.0, 28.0, 29.0, 30.0, 31.0, 36.0, 32.0),
    "char": (2.9, 3.5, 4.1, 4.7, 5.6, 6.5, 7.4, 8.6, 14.5, 15.5),
    "slash": (5.2, 7.2, 9.4, 12.2, 15.8, 17.6, 19.4, 21.4, 27.0, 20.5),
    "paved": (14.2, 16.2, 17.6, 18.4, 19.2, 19.8, 20.4, 21.0, 22.2, 20.8),
    "mud": (5.6, 7.6, 9.6, 11.2, 12.6, 13.4, 14.4, 15.6, 18.0, 14.8),
    "cloud": (78.0, 76.0, 76.0, 76.0, 76.0, 76.0, 75.0, 75.0, 46.0, 36.0),
    "snow": (82.0, 82.0, 81.0, 80.0, 78.0, 76.0, 74.0, 72.0, 12.0, 9.0),
}

SHADE = (0.42, 0.37, 0.33, 0.31, 0.29, 0.28, 0.27, 0.27, 0.22, 0.20)
"""Share of light that a full cloud shadow leaves per band: the sky still gives blue."""

WETNESS = (0.72, 0.72, 0.71, 0.70, 0.70, 0.70, 0.69, 0.69, 0.60, 0.55)
"""Reflectance of wet soil over that of dry soil."""


def spectrum(material: str) -> NDArray[np.float64]:
    """(10,) reflectance 0..1 of a material, in the order of `BANDS`."""
    return np.array(_PERCENT[material]) / 100


def haze() -> NDArray[np.float32]:
    """(10,) path radiance left by imperfect correction, 1 in the blue band."""
    wavelength = np.array([um for _, um in BANDS.values()])
    return ((wavelength / 0.490) ** -2.2).astype(np.float32)


def positions(bands: tuple[str, ...]) -> list[int]:
    """Where the named bands stand in `BANDS`."""
    order = list(BANDS)
    return [order.index(band) for band in bands]
