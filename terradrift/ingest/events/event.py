"""One event in memory: its images aligned pixel by pixel, and its label."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.ingest.frame import Frame, transformer
from terradrift.stack import Stack

UNKNOWN = -1
"""Label of a pixel that the label raster does not cover."""
BACKGROUND = 1
"""Labels up to this mean that nothing happened."""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A monitored image after its history, oldest first."""

    name: str
    kind: int
    """Index into `names.CLASSES`; 0 is a control."""
    stack: Stack
    """The last frame is the monitored image. One patch, as large as the image."""
    label: NDArray[np.int32] | None
    """(y, x), 0 background, above 0 categories, `UNKNOWN`; None where there is no label."""
    frame: Frame | None
    """Where the pixels lie; None where no image says."""
    metres: float | None
    """Side of a square of a pixel's area, metres; None where it is not known."""
    notes: tuple[str, ...] = ()

    @property
    def control(self) -> bool:
        """Whether nothing but normal change happened here."""
        return self.kind == 0

    @property
    def center(self) -> tuple[float, float]:
        """Longitude and latitude of the middle in degrees; NaN where it is not known."""
        if self.frame is None:
            return np.nan, np.nan
        a, b, c, d, e, f = self.frame.transform
        col, row = self.frame.width / 2, self.frame.height / 2
        to_degrees = transformer(self.frame.crs, "EPSG:4326")
        x, y = to_degrees.transform(a * col + b * row + c, d * col + e * row + f)
        return float(x), float(y)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(y, x), where the monitored image has all its bands."""
        there: NDArray[np.bool_] = np.isfinite(self.stack.pixels[-1]).all(axis=0)
        return there

    @property
    def area_km2(self) -> float | None:
        """Of what is seen of the monitored image; None where the pixel size is not known."""
        if self.metres is None:
            return None
        return float(self.seen.sum()) * self.metres**2 / 1e6

    def recent(self, steps: int) -> "Event":
        """The same with the `steps` latest images of the history only; views, not copies.

        Raises:
            ValueError: below 1.
        """
        if steps < 1:
            raise ValueError(f"steps of history must be at least 1, got {steps}")
        whole = self.stack
        first = max(len(whole) - 1 - steps, 0)
        part = replace(
            whole,
            days=whole.days[first:],
            pixels=whole.pixels[first:],
            times=whole.times[first:],
            scenes=whole.scenes[first:],
            clear_percent=whole.clear_percent[first:],
        )
        return replace(self, stack=part)
