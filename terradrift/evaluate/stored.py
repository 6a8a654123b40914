"""What a run of another method left in the archive, as a method: looked up, not made again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate.lasting import lasting
from terradrift.evaluate.method import Frames, Judged
from terradrift.evaluate.ranked import by_dates, told
from terradrift.series import Series


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Stored scores by patch and day."""

    patch_ids: NDArray[np.str_]
    """(p,), sorted, each once."""
    days: NDArray[np.datetime64]
    """(d,), datetime64[D], ascending, each once."""
    keys: NDArray[np.int64]
    """(n,), place of the patch times d plus place of the day, ascending."""
    values: NDArray[np.float32]
    """(n,)"""

    @classmethod
    def of(
        cls,
        patch_ids: NDArray[np.str_],
        days: NDArray[np.datetime64],
        values: NDArray[np.float32],
    ) -> "Scores":
        """From (n,) rows in any order, at most one per patch and day."""
        ids, row = np.unique(patch_ids, return_inverse=True)
        dates, column = np.unique(days.astype("datetime64[D]"), return_inverse=True)
        keys = row.astype(np.int64) * len(dates) + column
        order = np.argsort(keys)
        return cls(ids, dates, keys[order], values[order])

    def on(self, part: Series) -> NDArray[np.float32]:
        """(n, t) scores of the observations of a block, NaN where there is none."""
        shape = len(part.patch_ids), len(part.days)
        out = np.full(shape, np.nan, np.float32)
        if not len(self.keys):
            return out
        row, held = _places(self.patch_ids, part.patch_ids)
        column, dated = _places(self.days, part.days)
        keys = row[:, None].astype(np.int64) * len(self.days) + column
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = (self.keys[at] == keys) & held[:, None] & dated
        out[known] = self.values[at[known]]
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Scores of a table of anomalies as a method: a patch is as changed as its largest one.

    With `stays` it is as changed as its scores stay up after one date (`lasting`). A run of
    the table's own method made them, so nothing is timed here.
    """

    name: str
    column: str
    """Of the table: `z`, or `score` where the method gives no z."""
    scores: Scores = field(repr=False)
    control: "Stored | None" = field(default=None, repr=False)
    """What the same method left in an archive where nothing changed."""
    stays: bool = False
    """Whether a patch ranks by what lasts, not by its largest score."""
    reads: str = "indices"
    """No vectors, so that it stands there once, whatever the models."""

    def judge(self, series: Sequence[Series]) -> Judged:
        """Rank the patches; onset is the date of the largest score, or of the split."""
        found = [self.scores.on(part) for part in series]
        if self.stays:
            return told(series, [lasting(values) for values in found])
        return by_dates(series, found, 1)

    def frames(self, series: Sequence[Series]) -> list[Frames]:
        """The scores as they are."""
        return [Frames(self.scores.on(part)) for part in series]


def _places(
    known: NDArray[np.generic], wanted: NDArray[np.generic]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each of the wanted is among the sorted known, and whether it is there."""
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return at, np.asarray(known[at] == wanted)
