"""What ingest hands to models: pixels of one tile on one day, and chips cut from it.

Axis names are the same everywhere: n t band y x d.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS: dict[str, float] = {
    "coastal": 0.443,
    "blue": 0.490,
    "green": 0.560,
    "red": 0.665,
    "rededge071": 0.705,
    "rededge075": 0.740,
    "rededge078": 0.783,
    "nir": 0.842,
    "nir08": 0.865,
    "nir09": 0.945,
    "cirrus": 1.375,
    "swir16": 1.610,
    "swir22": 2.190,
    "lwir11": 10.9,
    "lwir12": 12.0,
}
"""Band names we use (STAC common names) and their usual centre wavelength in um."""

INDICES = ("ndvi", "nbr", "ndwi")
"""Spectral indices kept beside every observation, in this order."""


@dataclass(frozen=True, slots=True, eq=False)
class TileImage:
    """One tile of the grid on one day: harmonised reflectance and who gave it.

    Where several scenes of that day cover a patch, the patch comes from the clearest.
    """

    tile: str
    scene_ids: tuple[str, ...]
    """All scenes of the day that were read for the tile; the unit of work they close."""
    bands: tuple[str, ...]
    wavelengths: NDArray[np.float32]
    """(band,), um, NaN where unknown."""
    level: str
    """Processing level such as L1C or L2A, or an empty string where unknown."""
    gsd: float
    """Metres per pixel."""
    pixels: NDArray[np.float32]
    """(band, y, x), reflectance 0..1 (about), NaN where not clear or not there; north up.

    y and x are whole patches plus `halo_px` on every side."""
    patch_px: int
    """Pixels per patch side."""
    halo_px: int
    """Pixels of surroundings on every side, so that models that look past a patch's edge
    give the same vector whichever tile the patch lies in."""
    rows: NDArray[np.int32]
    """(n,), row of each patch of the image, counted from the top in patches."""
    cols: NDArray[np.int32]
    """(n,), column of each patch of the image, counted from the left in patches."""
    patch_ids: NDArray[np.str_]
    """(n,), the patches that a scene covers, in row-major order."""
    patch_scenes: NDArray[np.int32]
    """(n,), index into `scene_ids`: the scene that each patch was taken from."""
    times: NDArray[np.datetime64]
    """(n,), instant of that scene, datetime64[us], UTC."""
    clear_percent: NDArray[np.float32]
    """(n,), 0..100: share of the patch's pixels that are clear in every band."""
    centers: NDArray[np.float64]
    """(n, 2), longitude and latitude of the patch centres in degrees."""


@dataclass(frozen=True, slots=True, eq=False)
class Chips:
    """`n` windows of pixels for a model, and what it may condition on."""

    pixels: NDArray[np.float32]
    """(n, band, y, x), reflectance, NaN where not clear."""
    bands: tuple[str, ...]
    wavelengths: NDArray[np.float32]
    """(band,), um, NaN where unknown."""
    times: NDArray[np.datetime64]
    """(n,), datetime64[us], UTC."""
    centers: NDArray[np.float64]
    """(n, 2), longitude and latitude in degrees."""
    gsd: float
    """Metres per pixel."""
    level: str
    past: NDArray[np.float32] | None = None
    """(n, t, band, y, x), reflectance of the dates before, oldest first, of the same ground;
    NaN where not clear. None: the model looks at one date."""
    past_times: NDArray[np.datetime64] | None = None
    """(n, t), datetime64[us], UTC; NaT for a date that is not there."""

    def __len__(self) -> int:
        return len(self.pixels)
