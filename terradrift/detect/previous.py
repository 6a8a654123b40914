"""Distance of an observation to the one before it (pure)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.drift import unit
from terradrift.detect.median import complete, observed

DISTANCES = ("cosine", "euclidean")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousDate:
    """The detector `previous-date`: distance to the patch's last clear observation."""

    reads: ClassVar[str] = "bands"

    distance: str = "cosine"
    """`cosine`, 0..2, or `euclidean`, in the vectors' unit."""

    def __post_init__(self) -> None:
        if self.distance not in DISTANCES:
            raise ValueError(
                f"distance must be one of {', '.join(DISTANCES)}, got {self.distance!r}"
            )

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), NaN where not clear or nothing was before."""
        values = observed(days, vectors, clear)
        known = complete(values) & clear
        last = before(known)
        row, at = np.nonzero(known & (last >= 0))
        now, then = values[row, at], values[row, last[row, at]]
        out = np.full(clear.shape, np.nan, np.float32)
        if self.distance == "cosine":
            cosine = np.einsum("md,md->m", unit(now), unit(then))
            out[row, at] = np.clip(1 - cosine, 0, 2)
        else:
            out[row, at] = np.linalg.norm(now - then, axis=1)
        return out


def before(known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n, t), which date was the last known one before each; -1 where none was."""
    n, t = known.shape
    latest = np.maximum.accumulate(np.where(known, np.arange(t), -1), axis=1)
    return np.concatenate([np.full((n, min(t, 1)), -1), latest[:, :-1]], axis=1)
