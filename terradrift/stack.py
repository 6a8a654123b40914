"""What detectors on pixels are handed: the frames of one window of ground, oldest first."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """One window of the grid on `t` days: harmonised reflectance, aligned pixel by pixel.

    A window is whole patches of one tile, with `halo_px` pixels of surroundings on every
    side. One frame is one UTC day; where several scenes cover a patch, it comes from the
    clearest.
    """

    tile: str
    epsg: int
    corner: tuple[float, float]
    """West and north edge of the pixels, halo included, metres of the CRS."""
    gsd: float
    """Metres per pixel, side."""
    bands: tuple[str, ...]
    wavelengths: NDArray[np.float32]
    """(band,), um, NaN where unknown."""
    level: str
    """Processing level such as L1C or L2A, or an empty string where unknown."""
    days: NDArray[np.datetime64]
    """(t,), datetime64[D], UTC, ascending, each once."""
    pixels: NDArray[np.float32]
    """(t, band, y, x), reflectance 0..1 (about), NaN where not clear or not there; north up."""
    halo_px: int
    patch_px: int
    """Pixels per patch side."""
    patch_ids: NDArray[np.str_]
    """(n,), the patches of the window without halo."""
    rows: NDArray[np.int32]
    """(n,), row of each patch, counted from the top of the window in patches."""
    cols: NDArray[np.int32]
    """(n,), column of each patch, counted from the left in patches."""
    times: NDArray[np.datetime64]
    """(t, n), datetime64[us], UTC, the instant of each observation; NaT where there is none."""
    scenes: NDArray[np.str_]
    """(t, n), the scene that each patch was taken from, empty where there is none."""
    clear_percent: NDArray[np.float32]
    """(t, n), 0..100, NaN where there is no observation."""

    def __len__(self) -> int:
        return len(self.days)

    def upto(self, frame: int) -> "Stack":
        """The frames before `frame`, and it as the last; views, not copies."""
        return self.between(0, frame + 1)

    def between(self, first: int, end: int) -> "Stack":
        """The frames from `first` up to, but not including, `end`; views, not copies."""
        some = slice(first, end)
        return replace(
            self,
            days=self.days[some],
            pixels=self.pixels[some],
            times=self.times[some],
            scenes=self.scenes[some],
            clear_percent=self.clear_percent[some],
        )
