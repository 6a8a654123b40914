"""The detector `centroid-drift`: distance to the centroid of a fixed reference."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import centroid

SCORES = ("drift", "z", "cusum")


@dataclass(frozen=True, slots=True, kw_only=True)
class CentroidDrift:
    """The detector `centroid-drift`: distance of observations to a fixed reference.

    Made for speed: one pass over the stored vectors. The reference never moves, so a
    lasting change stays visible on every later date, and a season that the reference does
    not cover shows as drift.
    """

    reference: int = 12
    """The first so many clear observations are the reference; patches with fewer abstain."""
    until: str | None = None
    """Instead, all clear observations before this date, as `2019-01-01`."""
    score: str = "drift"
    """What is given: `drift`, `z` or `cusum`."""
    min_reference: int = 4
    """Members below which a patch abstains, where the reference is given by date."""
    threads: int = 1

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise ValueError(
                f"score must be one of {', '.join(SCORES)}, got {self.score!r}"
            )
        if self.min_reference < 2:
            raise ValueError(
                f"min_reference must be at least 2, got {self.min_reference}"
            )
        if self.reference < self.min_reference:
            raise ValueError(
                f"reference must be at least min_reference ({self.min_reference}), "
                f"got {self.reference}"
            )
        if self.until is not None:
            try:
                date.fromisoformat(self.until)
            except ValueError:
                raise ValueError(
                    f"until must be a date as 2019-01-01, got {self.until!r}"
                ) from None

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), NaN in the reference and where not clear."""
        if vectors.shape[:2] != clear.shape or len(days) != clear.shape[1]:
            raise ValueError(
                "expected days (t,), vectors (n, t, d) and clear (n, t), got "
                f"{days.shape}, {vectors.shape} and {clear.shape}"
            )
        if self.until is None:
            members = centroid.first(clear, self.reference)
            judged = clear & (members.any(axis=1, keepdims=True))
        else:
            before = days < np.datetime64(self.until, "D")
            members = clear & before
            enough = members.sum(axis=1, keepdims=True) >= self.min_reference
            members &= enough
            judged = (clear & ~before) | members
        found = centroid.apart(
            vectors,
            judged,
            members,
            least=self.min_reference,
            threads=self.threads,
        )
        scores: NDArray[np.float32] = getattr(found, self.score)
        return scores
