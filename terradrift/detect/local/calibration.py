"""What a no-change set's members score when left out, over many patches: p-values by rank (pure).

A set of a dozen members cannot tell one in a hundred; the sets of many patches can. Only
sets that were whole before the day that is judged count, of about as many members.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.local.score import Judged

_ALIKE = 1.5
"""Sets of so many times fewer or more members are of about as many."""
_LEAST = 19
"""Members of sets below which no p-value is told."""
_SCENE = 8
"""Patches of a date below which its median is not told."""


@dataclass(eq=False)
class Calibration:
    """Members' z of a sample of patches, and the sample's scores by date."""

    width: list[NDArray[np.int64]] = field(default_factory=list)
    whole: list[NDArray[np.datetime64]] = field(default_factory=list)
    """Last day of the set of each member."""
    z: list[NDArray[np.float64]] = field(default_factory=list)
    day: list[NDArray[np.datetime64]] = field(default_factory=list)
    score: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, days: NDArray[np.datetime64], parts: Iterable[Judged]) -> None:
        """Take what `score.judge` says of some patches."""
        for part in parts:
            keys = np.stack([part.row, part.width, part.last])
            _, one = np.unique(keys, axis=1, return_index=True)
            members = part.own.shape[1]
            self.width.append(np.repeat(part.width[one], members))
            self.whole.append(np.repeat(days[part.last[one]], members))
            self.z.append(part.own[one].ravel())
            self.day.append(days[part.at])
            self.score.append(part.score)

    def fitted(self) -> "Fitted":
        """The same in order."""
        width = np.concatenate([np.zeros(0, np.int64), *self.width])
        whole = np.concatenate([np.zeros(0, "datetime64[D]"), *self.whole])
        z = np.concatenate([np.zeros(0), *self.z])
        day = np.concatenate([np.zeros(0, "datetime64[D]"), *self.day])
        score = np.concatenate([np.zeros(0), *self.score])
        known, told = np.isfinite(z), np.isfinite(score)
        days, which, count = np.unique(
            day[told], return_inverse=True, return_counts=True
        )
        medians = {
            days[number]: float(np.median(score[told][which == number]))
            for number in np.flatnonzero(count >= _SCENE)
        }
        return Fitted(width[known], whole[known], z[known], medians)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A calibration to ask."""

    width: NDArray[np.int64]
    """(k,), members of the set of each calibration score."""
    whole: NDArray[np.datetime64]
    """(k,), last day of its set."""
    z: NDArray[np.float64]
    """(k,)"""
    medians: dict[np.datetime64, float]
    """Day to the median score of the sample."""
    _asked: dict[tuple[int, np.datetime64], NDArray[np.float64]] = field(
        default_factory=dict
    )

    def p_values(
        self,
        z: NDArray[np.float64],
        width: NDArray[np.int64],
        day: NDArray[np.datetime64],
    ) -> NDArray[np.float64]:
        """(q,) share of calibration scores at least as large, the score itself counted.

        NaN with fewer than 19 of them, or without a z.
        """
        out = np.full(len(z), np.nan)
        known = np.isfinite(z)
        keys = np.stack([width, day.astype(np.int64)])
        for w, d in np.unique(keys[:, known], axis=1).T:
            here = np.flatnonzero(known & (keys[0] == w) & (keys[1] == d))
            held = self._held(int(w), np.datetime64(int(d), "D"))
            if len(held) >= _LEAST:
                least = len(held) - np.searchsorted(held, z[here], side="left")
                out[here] = (1 + least) / (1 + len(held))
        return out

    def median(self, day: NDArray[np.datetime64]) -> NDArray[np.float64]:
        """(q,) median score of the sample on the day, NaN with fewer than 8 patches."""
        return np.array([self.medians.get(one, np.nan) for one in day], np.float64)

    def _held(self, width: int, day: np.datetime64) -> NDArray[np.float64]:
        """Calibration scores for sets of about `width` members, whole before `day`; sorted."""
        key = (width, day)
        if key not in self._asked:
            alike = (self.width * _ALIKE >= width) & (self.width <= width * _ALIKE)
            self._asked[key] = np.sort(self.z[alike & (self.whole < day)])
        return self._asked[key]
