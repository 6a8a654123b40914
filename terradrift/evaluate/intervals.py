"""How sure a measure is: blocks of ground drawn again and again, and Poisson counts (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2

from terradrift.evaluate.measures import Interval, squares

LEVEL = 0.95
REPEATS = 1000
SIDE = 1000
"""Metres; the largest side of a block that is chosen unasked."""
_WANTED = 30
_LEAST_PATCHES = 4
_NONE = (np.nan, np.nan)


def default_side(cells: NDArray[np.int64], patch_size: int) -> int:
    """Side of a block in patches: of 1,000 m, halved until there are 30, at least 4 patches.

    Args:
        cells: (n, 3), number of the CRS, row, column.
        patch_size: metres.
    """
    side = max(SIDE // patch_size, _LEAST_PATCHES)
    while side > _LEAST_PATCHES and squares(cells, side).max(initial=-1) + 1 < _WANTED:
        side = max(side // 2, _LEAST_PATCHES)
    return side


def joined(
    blocks: NDArray[np.int64],
    group: NDArray[np.int64],
    patch: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(n,) blocks, of which those that share an object are one: no object is cut.

    Args:
        blocks: (n,), number of each patch's block.
        group: (p,), number of the object of a pair.
        patch: (p,), row of the patch of a pair.
    """
    if len(blocks) == 0 or len(group) == 0:
        return blocks
    count = int(blocks.max()) + 1
    ends = np.stack([blocks[patch], count + group])
    edges = coo_array((np.ones(len(group)), ends), shape=(count + group.max() + 1,) * 2)
    _, component = connected_components(edges, directed=False)
    _, number = np.unique(component[blocks], return_inverse=True)
    return np.asarray(number, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Blocks of ground drawn with replacement, as many as there are, `r` times.

    Blocks with changes and blocks without are drawn apart: every draw has as many blocks
    with changes as there are, so that the floor of chance stays where it is.
    """

    block: NDArray[np.int64]
    """(n,), number of each patch's block, -1 where the patch takes no part."""
    times: NDArray[np.float64]
    """(b, r), how often each block is in each draw; r is 0 below 2 blocks with changes."""
    changed: NDArray[np.bool_]
    """(b,), blocks with changes."""
    level: float

    @classmethod
    def of(
        cls,
        blocks: NDArray[np.int64],
        inside: NDArray[np.bool_],
        changed: NDArray[np.bool_],
        *,
        level: float = LEVEL,
        repeats: int = REPEATS,
        seed: int = 0,
    ) -> "Draws":
        """Draw the blocks (n,) that hold a patch that is `inside` (n,)."""
        block = np.full(len(blocks), -1, np.int64)
        _, block[inside] = np.unique(blocks[inside], return_inverse=True)
        with_changes = np.zeros(int(block.max(initial=-1)) + 1, bool)
        with_changes[block[inside & changed]] = True
        if with_changes.sum() < 2:
            return cls(block, np.zeros((len(with_changes), 0)), with_changes, level)
        random = np.random.default_rng(seed)
        times = np.zeros((len(with_changes), repeats))
        for part in (with_changes, ~with_changes):
            if count := int(part.sum()):
                even = np.full(count, 1 / count)
                times[part] = random.multinomial(count, even, size=repeats).T
        return cls(block, times, with_changes, level)

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self.times)

    def interval(self, value: float, drawn: NDArray[np.float64]) -> Interval:
        """The value, and the middle `level` of what was drawn (r,) where it is defined."""
        drawn = drawn[np.isfinite(drawn)]
        if len(drawn) == 0 or not np.isfinite(value):
            return Interval(value, *_NONE)
        tail = (1 - self.level) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return Interval(value, float(low), float(high))

    def sums(self, values: NDArray[np.floating | np.bool_]) -> NDArray[np.float64]:
        """(r,) sum of values (n,) in each draw."""
        rows = self.block >= 0
        held = np.bincount(
            self.block[rows], values[rows].astype(np.float64), minlength=self.count
        )
        total: NDArray[np.float64] = held @ self.times
        return total

    def share(
        self,
        part: NDArray[np.floating | np.bool_],
        whole: NDArray[np.floating | np.bool_],
    ) -> Interval:
        """The sum of `part` (n,) over that of `whole` (n,)."""
        rows = self.block >= 0
        total = float(whole[rows].sum())
        value = float(part[rows].sum()) / total if total else np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = self.sums(part) / self.sums(whole)
        return self.interval(value, drawn)

    def median(self, values: NDArray[np.float64]) -> Interval:
        """The median of the values (n,) that are not NaN."""
        rows = np.flatnonzero((self.block >= 0) & np.isfinite(values))
        if len(rows) == 0:
            return Interval(np.nan, *_NONE)
        rows = rows[np.argsort(values[rows], kind="stable")]
        weight = np.cumsum(self.times[self.block[rows]], axis=0)
        total = weight[-1:]
        ordered = values[rows]
        # The mean of the two middle ones where the number is even, as numpy.median.
        low = ordered[(weight >= total / 2).argmax(axis=0)]
        high = ordered[(weight > total / 2).argmax(axis=0)]
        drawn = np.where(total[0] > 0, (low + high) / 2, np.nan)
        return self.interval(float(np.median(ordered)), drawn)


def poisson(count: int, exposure: float, level: float = LEVEL) -> Interval:
    """A rate with its exact interval (Garwood 1936); NaN without exposure."""
    if not exposure > 0:
        return Interval(np.nan, *_NONE)
    tail = (1 - level) / 2
    low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(1 - tail, 2 * count + 2) / 2
    return Interval(count / exposure, float(low / exposure), float(high / exposure))
