"""What an import of rasters did, in numbers and in words."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from terradrift.store.published.told import days
from terradrift.store.rasters.tile import Patches


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    form: str
    model: str
    files: int
    rows: int
    """Rows that the archive did not hold."""
    skipped: int
    """Tiles of an instant that it holds of these files already."""
    patches: int
    """Places that are new."""
    days: tuple[str, ...]
    """Of the rasters, in their order."""
    told_by: str
    """What said when."""
    again: int
    """Left out: the same place and day once more, of which the clearest stays."""
    beyond: int
    """Left out: float16 cannot hold their mean."""
    twice: float
    """Share of pixels that lie in several rasters of one instant, 0..1; the first had them."""
    other_grid: int
    """Rasters whose pixels do not stand on the grid's: each patch has their nearest ones."""
    partial: float
    """Share of rows with a pixel that has no vector, 0..1."""
    spread: float
    """Median of 1 less the length of the mean of a patch's unit vectors, 0..1."""

    def __str__(self) -> str:
        words = (
            f"{self.form}: {self.rows:,} embeddings of {self.model} at {self.patches:,} new "
            f"places from {self.files:,} rasters of {days(self.days)}; instants by "
            f"{self.told_by}, of periods their middle; pixels of a patch spread by "
            f"{self.spread:.3f}, median"
        )
        if self.again:
            words += f"; {self.again:,} left out, the same place and day once more, less clear"
        if self.beyond:
            words += f"; {self.beyond:,} left out, with a mean beyond float16 (65,504), or of zeros"
        if self.twice:
            words += (
                f"; {self.twice:.1%} of pixels lie in several rasters of one instant, the "
                "first by name was taken"
            )
        if self.partial:
            words += f"; {self.partial:.0%} have pixels without a vector"
        if self.other_grid:
            words += (
                f"; {self.other_grid:,} rasters stand on another grid of pixels, the nearest "
                "ones were taken"
            )
        if self.skipped:
            words += f"; {self.skipped:,} tiles skipped, held already"
        return words

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


class Seen:
    """What an answer says of the rows."""

    def __init__(self) -> None:
        self.skipped = self.rows = self.partial = self.pixels = self.twice = 0
        self.beyond = 0
        self._spreads = np.zeros(1001, np.int64)

    def add(self, patches: Patches) -> None:
        """Count a tile's."""
        self.rows += len(patches.share)
        self.pixels += patches.pixels
        self.twice += patches.twice
        self.beyond += patches.beyond
        self.partial += int((patches.share < 1).sum())
        bins = np.floor(1000 * patches.spread).astype(np.int64)
        self._spreads += np.bincount(bins, minlength=1001)

    @property
    def spread(self) -> float:
        """Median, to a thousandth."""
        if not self.rows:
            return 0.0
        return int(np.searchsorted(self._spreads.cumsum(), (self.rows + 1) // 2)) / 1000
