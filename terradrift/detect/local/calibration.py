"""What a no-change set's members score when left out, over many patches: p-values by rank (pure).

A set of a dozen members cannot tell one in a hundred; the sets of many patches can. Only
sets of about as many members count, from the first day on which one was asked, so what
comes later changes no p-value that was told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.local.ranks import Ranks
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
    used: list[NDArray[np.datetime64]] = field(default_factory=list)
    """First day that was judged by the set of each member."""
    z: list[NDArray[np.float64]] = field(default_factory=list)
    day: list[NDArray[np.datetime64]] = field(default_factory=list)
    score: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, days: NDArray[np.datetime64], parts: Iterable[Judged]) -> None:
        """Take what `score.judge` says of some patches."""
        for part in parts:
            order = np.argsort(part.at, kind="stable")
            keys = np.stack([part.row, part.width, part.last])[:, order]
            one = order[np.unique(keys, axis=1, return_index=True)[1]]
            known = np.isfinite(part.own[one])
            count = known.sum(axis=1)
            self.width.append(np.repeat(part.width[one], count))
            self.used.append(np.repeat(days[part.at[one]], count))
            self.z.append(part.own[one][known])
            self.day.append(days[part.at])
            self.score.append(part.score)

    def fitted(self) -> "Fitted":
        """The same in order."""
        width = np.concatenate([np.zeros(0, np.int64), *self.width])
        used = np.concatenate([np.zeros(0, "datetime64[D]"), *self.used])
        z = np.concatenate([np.zeros(0), *self.z])
        day = np.concatenate([np.zeros(0, "datetime64[D]"), *self.day])
        score = np.concatenate([np.zeros(0), *self.score])
        told = np.isfinite(score)
        days, which, count = np.unique(
            day[told], return_inverse=True, return_counts=True
        )
        medians = {
            days[number]: float(np.median(score[told][which == number]))
            for number in np.flatnonzero(count >= _SCENE)
        }
        return Fitted(width, used, z, medians)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A calibration to ask."""

    width: NDArray[np.int64]
    """(k,), members of the set of each calibration score."""
    used: NDArray[np.datetime64]
    """(k,), day from which it counts."""
    z: NDArray[np.float64]
    """(k,), finite."""
    medians: dict[np.datetime64, float]
    """Day to the median score of the sample."""
    _ranks: dict[tuple[int, int], Ranks] = field(default_factory=dict)
    """By the least and the greatest width that are in them."""

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
        for w in np.unique(width[known]).tolist():
            here = np.flatnonzero(known & (width == w))
            ranks = self._alike(w)
            if ranks is None:
                continue
            large, held = ranks.count(z[here], day[here])
            out[here] = np.where(held >= _LEAST, (1 + large) / (1 + held), np.nan)
        return out

    def median(self, day: NDArray[np.datetime64]) -> NDArray[np.float64]:
        """(q,) median score of the sample on the day, NaN with fewer than 8 patches."""
        return np.array([self.medians.get(one, np.nan) for one in day], np.float64)

    def _alike(self, width: int) -> Ranks | None:
        """Calibration scores of sets of about `width` members; None: there are none."""
        alike = (self.width * _ALIKE >= width) & (self.width <= width * _ALIKE)
        if not alike.any():
            return None
        held = self.width[alike]
        key = int(held.min()), int(held.max())
        if key not in self._ranks:
            self._ranks[key] = Ranks.of(self.z[alike], self.used[alike])
        return self._ranks[key]
