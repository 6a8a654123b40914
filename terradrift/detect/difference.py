"""Difference of one index, or of one band, to the median of its own past (pure)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import INDICES
from terradrift.detect.median import observed, past_median

LARGEST = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDifference:
    """The detector `index-difference`: |index - median of its past|."""

    reads: ClassVar[str] = "indices"

    index: str = LARGEST
    """`ndvi`, `nbr`, `ndwi`, or `max`: the largest difference among those known."""
    min_past: int = 1
    """Fewer earlier known values than this: no score."""

    def __post_init__(self) -> None:
        if self.index not in (LARGEST, *INDICES):
            raise ValueError(
                f"index must be {LARGEST} or one of {', '.join(INDICES)}, "
                f"got {self.index!r}"
            )
        if self.min_past < 1:
            raise ValueError(f"min_past must be at least 1, got {self.min_past}")

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) indices, in the order of `chip.INDICES`, NaN where not known.

        Returns:
            (n, t), NaN where no index asked for is known, now or before.
        """
        values = observed(days, vectors, clear)
        column = None if self.index == LARGEST else INDICES.index(self.index)
        return _largest(values, column, self.min_past)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandDifference:
    """The detector `band-difference`: |band - median of its past|."""

    reads: ClassVar[str] = "bands"

    band: int | None = None
    """Number of the band, from 0; None: the largest difference of any band."""
    min_past: int = 1
    """Fewer earlier clear observations than this: no score."""

    def __post_init__(self) -> None:
        if self.band is not None and self.band < 0:
            raise ValueError(f"band must be 0 or more, got {self.band}")
        if self.min_past < 1:
            raise ValueError(f"min_past must be at least 1, got {self.min_past}")

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) bands: (n, t), NaN where not clear or without enough past."""
        values = observed(days, vectors, clear)
        return _largest(values, self.band, self.min_past)


def _largest(
    values: NDArray[np.float32], column: int | None, least: int
) -> NDArray[np.float32]:
    """(n, t) largest difference over the columns (or one) of (n, t, d) to their past."""
    if column is not None:
        if column >= values.shape[2]:
            raise ValueError(
                f"expected vectors of more than {column} columns, got {values.shape[2]}"
            )
        values = values[..., column : column + 1]
    away = np.abs(values - past_median(values, least))
    known = np.isfinite(away)
    most = np.where(known, away, -np.inf).max(axis=2, initial=-np.inf)
    return np.where(known.any(axis=2), most, np.nan).astype(np.float32)
