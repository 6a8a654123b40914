"""Are p-values of a whole archive what they say? Counted batch by batch (pure).

The same measure as `terradrift.detect.reliability`, whose sums are kept per date and per
block of ground, so that memory does not grow with the number of observations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from terradrift.detect.reliability import Reliability

ALPHAS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_TAIL = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """What share of the p-values of one group is at most each level."""

    levels: Reliability
    smallest: float
    """The smallest p-value; NaN without any. Levels below what p-values can reach stay empty."""
    silent: int
    """Observations (patches) of the group without a p-value."""

    @property
    def holds(self) -> NDArray[np.bool_]:
        """(a,), whether the interval holds the level."""
        found = self.levels
        inside: NDArray[np.bool_] = (found.low <= found.alphas) & (
            found.alphas <= found.high
        )
        return inside


class Tally:
    """p-values of several groups, counted by level, date and block of ground.

    A value is in one group. Memory is that of groups x (dates + blocks) x levels.
    """

    def __init__(
        self,
        groups: int,
        blocks: int,
        alphas: Sequence[float] = ALPHAS,
        *,
        dated: bool = True,
    ) -> None:
        """Begin with nothing counted.

        Args:
            groups: number of groups.
            blocks: number of blocks of ground.
            alphas: ascending levels, above 0 and below 1.
            dated: values of one date depend on each other; False where a value belongs to
                no date, such as that of a whole history.
        """
        self.alphas = np.asarray(alphas, np.float64)
        if (
            not (np.diff(self.alphas) > 0).all()
            or not ((self.alphas > 0) & (self.alphas < 1)).all()
        ):
            raise ValueError(
                f"expected ascending levels between 0 and 1, got {list(alphas)}"
            )
        self.dated = dated
        width = len(self.alphas) + 1
        self._by_block = np.zeros((groups, blocks, width), np.int64)
        self._by_date: dict[int, NDArray[np.int64]] = {}
        self._smallest = np.full(groups, np.inf)
        self._silent = np.zeros(groups, np.int64)

    def add(
        self,
        p: NDArray[np.floating],
        group: NDArray[np.int64],
        block: NDArray[np.int64],
        day: NDArray[np.datetime64] | None = None,
    ) -> None:
        """Count p-values (n,) of the groups (n,), blocks (n,) and days (n,).

        NaN is counted as silent.
        """
        known = np.isfinite(p)
        groups = len(self._smallest)
        self._silent += np.bincount(group[~known], minlength=groups)
        p, group, block = p[known], group[known], block[known]
        # Levels in the precision of the values: 0.05 as float32 is above 0.05.
        level = np.searchsorted(self.alphas.astype(p.dtype), p)
        for each in np.flatnonzero(np.bincount(group, minlength=groups)):
            least = float(p[group == each].min())
            self._smallest[each] = min(self._smallest[each], least)
        shape = self._by_block.shape
        flat = np.ravel_multi_index((group, block, level), shape)
        self._by_block += np.bincount(flat, minlength=int(np.prod(shape))).reshape(
            shape
        )
        if day is None or not self.dated:
            return
        days, number = np.unique(day[known], return_inverse=True)
        shape = (len(days), groups, shape[2])
        flat = np.ravel_multi_index((number, group, level), shape)
        counted = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
        for each, one in zip(
            days.astype("datetime64[D]").astype(int), counted, strict=True
        ):
            self._by_date[int(each)] = self._by_date.get(int(each), 0) + one

    def share(self, group: int) -> Share:
        """The group's shares with 95 % intervals.

        As in `detect.reliability.reliability`: variance by dates plus that by blocks less
        that of single values, no less than either (Cameron, Gelbach & Miller 2011), but with
        Student's quantile for the number of dates or of blocks, whichever is smaller. Where
        no value, or every one, is at most a level, that variance is 0 and says nothing; the
        interval then reaches as far as so many independent values could tell. One date, or
        one block, tells nothing: 0 to 1.
        """
        by_block = np.cumsum(self._by_block[group], axis=1)
        counts, hits = by_block[:, -1], by_block[:, :-1]
        total = int(counts.sum())
        smallest = (
            float(self._smallest[group])
            if np.isfinite(self._smallest[group])
            else np.nan
        )
        silent = int(self._silent[group])
        nothing = np.full(len(self.alphas), np.nan)
        if total == 0:
            empty = Reliability(self.alphas, nothing, nothing, nothing, 0)
            return Share(empty, smallest, silent)
        share = hits.sum(axis=0) / total
        single = total * share * (1 - share)
        of_blocks = _squares(hits, counts, share)
        least = int((counts > 0).sum())
        of_dates = single
        if self.dated:
            by_date = np.cumsum([one[group] for one in self._by_date.values()], axis=1)
            of_dates = _squares(by_date[:, :-1], by_date[:, -1], share)
            least = min(least, int((by_date[:, -1] > 0).sum()))
        both = of_blocks + of_dates - single
        low, high = np.zeros(len(share)), np.ones(len(share))
        if least > 1:
            half = np.sqrt(np.maximum(both, np.maximum(of_blocks, of_dates))) / total
            half *= student.ppf(1 - _TAIL / 2, least - 1)
            low, high = np.clip(share - half, 0, 1), np.clip(share + half, 0, 1)
            reach = 1 - _TAIL ** (1 / least)
            high[share == 0], low[share == 1] = reach, 1 - reach
        return Share(
            Reliability(self.alphas, share, low, high, total), smallest, silent
        )


def _squares(
    hits: NDArray[np.int64], counts: NDArray[np.int64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(a,) sums over clusters of the square of hits (c, a) less those expected."""
    away = hits - counts[:, None] * share
    squares: NDArray[np.float64] = (away**2).sum(axis=0)
    return squares
