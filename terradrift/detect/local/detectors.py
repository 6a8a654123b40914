"""The detectors `local-distance` and `local-lof`: a patch against its own no-change set.

After the local detection of the change-detection study of Telecom Paris and Airbus Defence
and Space (IndiraFa, project page), without its leak: nothing is fitted to a later date.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.local.reference import WINDOWS
from terradrift.detect.local.score import DISTANCE, LOF, How, judge

_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDistance:
    """Distance to the patch's own clear past, in robust standard deviations of that past.

    The distance is `spread.Spread`'s, its scale that of the members of the set, each left
    out of the others. Nothing is corrected for season, but a past of a year or more holds
    the seasons.
    """

    window: str = "past"
    """The no-change set: `past` (all clear observations before the guard), `first` or
    `last` so many of them."""
    reference: int = 12
    """Observations in the set of `first`, and at most in that of `last`."""
    min_reference: int = 8
    """Abstain with fewer."""
    guard_days: int = 10
    """Observations less than so many days before are in no set."""
    components: int = 0
    """Only so many principal components of the set count; 0: all of the space. Blind to
    what leaves their plane."""
    floor: float = 0.3
    """Added to the scale, as a share of the median, as for drift."""

    def __post_init__(self) -> None:
        _check(self.window, self.reference, self.min_reference, self.guard_days)
        if self.components < 0:
            raise ValueError(f"components must not be negative, got {self.components}")
        if self.floor < 0:
            raise ValueError(f"floor must not be negative, got {self.floor}")

    def how(self, members: int = 0) -> How:
        """The same for `score.judge`."""
        return How(
            measure=DISTANCE,
            window=self.window,
            reference=self.reference,
            min_reference=self.min_reference,
            guard_days=self.guard_days,
            components=self.components or None,
            floor=self.floor,
            members=members,
        )

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score `n` patches over `t` days, as `protocol.SeriesDetector`."""
        scores = np.full(clear.shape, np.nan, np.float32)
        for part in judge(days, vectors, clear, self.how()):
            scores[part.row, part.at] = part.z
        return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLof:
    """Local outlier factor in the patch's own clear past, with all of it as neighbours.

    With as many neighbours as there are, no distance counts for less than the set's own
    reach: about 1 wherever an observation lies within the set, and growing in proportion
    outside. That, not density, is what sets it apart from a distance.
    """

    window: str = "past"
    """As of `LocalDistance`."""
    reference: int = 12
    min_reference: int = 8
    guard_days: int = 10
    floor: float = 0.3
    """Of z only: the score is the factor itself."""
    neighbours: int = 0
    """Of each observation; 0: the whole set. One odd observation in the set then reaches
    as far as the change does and hides it; a few neighbours are not fooled."""

    def __post_init__(self) -> None:
        _check(self.window, self.reference, self.min_reference, self.guard_days)
        if self.floor < 0:
            raise ValueError(f"floor must not be negative, got {self.floor}")
        if self.neighbours < 0:
            raise ValueError(f"neighbours must not be negative, got {self.neighbours}")

    def how(self, members: int = 0, *, scaled: bool = True) -> How:
        """The same for `score.judge`."""
        return How(
            measure=LOF,
            window=self.window,
            reference=self.reference,
            min_reference=self.min_reference,
            guard_days=self.guard_days,
            components=None,
            floor=self.floor,
            members=members,
            scaled=scaled,
            neighbours=self.neighbours or None,
        )

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score `n` patches over `t` days, as `protocol.SeriesDetector`."""
        scores = np.full(clear.shape, np.nan, np.float32)
        for part in judge(days, vectors, clear, self.how(scaled=False)):
            scores[part.row, part.at] = part.score
        return scores


def _check(window: str, reference: int, min_reference: int, guard_days: int) -> None:
    if window not in WINDOWS:
        raise ValueError(f"window must be one of {', '.join(WINDOWS)}, got {window!r}")
    if min_reference < _LEAST:
        raise ValueError(
            f"min_reference must be at least {_LEAST}, got {min_reference}"
        )
    if window != "past" and reference < min_reference:
        raise ValueError(
            f"reference must be at least min_reference ({min_reference}), got {reference}"
        )
    if guard_days < 0:
        raise ValueError(f"guard_days must not be negative, got {guard_days}")
