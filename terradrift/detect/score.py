"""Which patches changed for good, when, and how they rank (pure).

Per patch the split of its history with the greatest strength (`steps.strength`) is the
candidate; its score is that strength beside the pool's typical one, times the rarity of
the step.
"""

from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import steps
from terradrift.detect.settings import Settings

COMMON_STEPS = 1024
"""Pool patches whose steps say what is common."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The strongest split of each patch that has one."""

    row: NDArray[np.int64]
    """(m,)"""
    split: NDArray[np.int64]
    """(m,), number of the first date of the new state."""
    score: NDArray[np.float32]
    """(m,)"""
    persistent: NDArray[np.bool_]
    """(m,)"""


class Common:
    """Steps of the pool's patches at any date, computed once per date."""

    def __init__(
        self,
        vectors: NDArray[np.float32],
        clear: NDArray[np.bool_],
        index: NDArray[np.int64],
        settings: Settings,
    ) -> None:
        """Take (p, t, r) shifted vectors of the pool, and (p,) their place in it."""
        self._sums = steps.running(vectors, clear)
        self._index = index
        self._settings = settings
        strongest = steps.strength(self._sums, settings.min_segment).max(axis=1)
        found = strongest[strongest > 0]
        self.typical = float(np.median(found)) if len(found) else 1.0
        self._at: dict[int, tuple[NDArray[np.int64], ...]] = {}
        self._lock = Lock()

    def rarity(
        self,
        before: NDArray[np.float64],
        after: NDArray[np.float64],
        own: NDArray[np.int64],
        split: int,
    ) -> NDArray[np.float64]:
        """(m,) rarity of steps at one date; `own` (m,) is the patch's place in the pool."""
        rows, features, reach = self._steps(split)
        place = np.searchsorted(self._index[rows], own)
        place = np.minimum(place, max(len(rows) - 1, 0))
        inside = (
            self._index[rows][place] == own if len(rows) else np.zeros(len(own), bool)
        )
        queries = np.concatenate([before, after], axis=1).astype(np.float32)
        return steps.rarity(
            queries,
            features,
            reach,
            np.where(inside, place, -1),
            self._settings.neighbours,
        )

    def _steps(self, split: int) -> tuple[NDArray[np.int64], ...]:
        with self._lock:
            if split not in self._at:
                least = self._settings.min_segment
                count = self._sums.count
                rows = np.flatnonzero(
                    (count[:, split] >= least)
                    & (count[:, -1] - count[:, split] >= least)
                )
                pair = steps.states(self._sums, rows, np.full(len(rows), split))
                features = np.concatenate(pair, axis=1).astype(np.float32)
                reach = steps.reach(features, self._settings.neighbours)
                self._at[split] = (rows, features, reach)
            return self._at[split]


def candidates(
    vectors: NDArray[np.float32],
    clear: NDArray[np.bool_],
    columns: NDArray[np.int64],
    own: NDArray[np.int64],
    common: Common,
    settings: Settings,
) -> Candidates:
    """The strongest split of each of `n` patches, scored.

    `vectors` (n, t, r) are less the scene-wide shift, `columns` (t,) place the dates among
    the pool's, `own` (n,) the patches in the pool.
    """
    sums = steps.running(vectors, clear)
    # A state begins with an observation: splits before a date that was not seen are the same.
    strength = np.where(clear, steps.strength(sums, settings.min_segment), 0.0)
    split = strength.argmax(axis=1)
    row = np.flatnonzero(strength.max(axis=1, initial=0.0) > 0)
    split = split[row]
    before, after = steps.states(sums, row, split)
    rare = np.ones(len(row))
    for at in np.unique(split):
        here = split == at
        rare[here] = common.rarity(
            before[here], after[here], own[row[here]], int(columns[at])
        )
    score = strength[row, split] / common.typical * rare
    return Candidates(
        row,
        split,
        score.astype(np.float32),
        _lasts(vectors, clear, row, split, before, after),
    )


def _lasts(
    vectors: NDArray[np.float32],
    clear: NDArray[np.bool_],
    row: NDArray[np.int64],
    split: NDArray[np.int64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether the last third of the new state is nearer to it than to the old one."""
    t = clear.shape[1]
    new = clear[row] & (np.arange(t) >= split[:, None])
    order = np.cumsum(new, axis=1)
    late = new & (order > (2 * order[:, -1:]) // 3)
    mean = np.where(late[..., None], vectors[row], 0.0).sum(axis=1) / np.maximum(
        late.sum(axis=1), 1
    ).reshape(-1, 1)
    to_old = np.linalg.norm(mean - before, axis=1)
    to_new = np.linalg.norm(mean - after, axis=1)
    lasting: NDArray[np.bool_] = to_new <= to_old
    return lasting
