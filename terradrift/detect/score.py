"""Which patches changed, when, whether for good, and how they rank (pure).

Per patch the split of its history with the greatest strength (`steps.strength`) is the
candidate; its score is that strength beside the pool's typical one, times the root of the
rarity of the step, times the fourth root of its strongest step beside analogues: what a
whole land cover does together is a season rather than a change, but a large event must
not vanish because its analogues had it too. Where a state that came and went fits clearly better, the change is
transient. Its score is by the same measure, strength of a lasting step at its onset, so
what returns ranks below what lasts.
"""

from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import onset, steps
from terradrift.detect.settings import Settings

COMMON_STEPS = 1024
"""Pool patches whose steps say what is common."""
_USUAL = 0.25
"""Quantile of the strongest steps that counts as usual: a large event may have changed half
of all patches, and must not set the measure."""
_CLEARLY = 1.2
"""How much stronger an excursion must be than a lasting step to be believed.

It has one more free date, and so always fits somewhat better."""


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Reduced histories of `n` patches, less the scene-wide shift and tempered."""

    vectors: NDArray[np.float32]
    """(n, t, r)"""
    clear: NDArray[np.bool_]
    """(n, t)"""
    columns: NDArray[np.int64]
    """(t,), place of the dates among the pool's."""
    own: NDArray[np.int64]
    """(n,), place of the patch in the pool, -1 where it is not in it."""
    aside: NDArray[np.float64]
    """(n,), strongest step beside analogues (`beside`), NaN where none can be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """At most one change per patch, the strongest."""

    row: NDArray[np.int64]
    """(m,)"""
    first: NDArray[np.int64]
    """(m,), number of the first clear date of the new state."""
    end: NDArray[np.int64]
    """(m,), number of the first date after it, t where it lasts."""
    score: NDArray[np.float32]
    """(m,)"""
    lasts: NDArray[np.bool_]
    """(m,)"""
    kept: NDArray[np.bool_]
    """(m,), strong enough to be reported."""

    def take(self, rows: NDArray[np.bool_]) -> "Candidates":
        """The candidates at `rows`."""
        return Candidates(*(getattr(self, name)[rows] for name in self.__slots__))


def beside(
    residual: NDArray[np.float32],
    compared: NDArray[np.bool_],
    settings: Settings,
) -> NDArray[np.float64]:
    """(n,) strongest step of residuals (n, t, r) to analogues, where (n, t) `compared`."""
    tempered = steps.tempered(residual, compared, settings.outlier)
    strength = steps.strength(steps.running(tempered, compared), settings.min_segment)
    strongest = strength.max(axis=1, initial=0.0)
    return np.where(strongest > 0, strongest, np.nan)


class Common:
    """Steps of the pool's patches at any date, computed once per date."""

    def __init__(self, pool: Histories, settings: Settings) -> None:
        """Take the histories of pool patches, `own` ascending."""
        self._sums = steps.running(pool.vectors, pool.clear)
        self._own = pool.own
        self._settings = settings
        strongest = steps.strength(self._sums, settings.min_segment).max(
            axis=1, initial=0.0
        )
        found = strongest[strongest > 0]
        self.typical = float(np.quantile(found, _USUAL)) if len(found) else 1.0
        aside = pool.aside[np.isfinite(pool.aside)]
        self.typical_aside = float(np.median(aside)) if len(aside) else 1.0
        self._at: dict[int, _Steps] = {}
        self._lock = Lock()

    def rarity(
        self,
        before: NDArray[np.float64],
        after: NDArray[np.float64],
        own: NDArray[np.int64],
        split: int,
    ) -> NDArray[np.float64]:
        """(m,) rarity of steps at one date; `own` (m,) is the patch's place in the pool."""
        common = self._steps(split)
        if len(common.own) <= self._settings.neighbours:
            return np.ones(len(own))
        place = np.minimum(np.searchsorted(common.own, own), len(common.own) - 1)
        inside = common.own[place] == own
        queries = np.concatenate([before, after], axis=1).astype(np.float32)
        ratio = steps.rarity(
            queries,
            common.states,
            common.reach,
            np.where(inside, place, -1),
            self._settings.neighbours,
        )
        length = np.linalg.norm(after - before, axis=1)
        rare: NDArray[np.float64] = ratio * length / max(common.length, 1e-12)
        return rare

    def _steps(self, split: int) -> "_Steps":
        with self._lock:
            if split not in self._at:
                count, least = self._sums.count, self._settings.min_segment
                after = count[:, -1] - count[:, split]
                rows = np.flatnonzero((count[:, split] >= least) & (after >= least))
                old, new = steps.states(self._sums, rows, np.full(len(rows), split))
                states = np.concatenate([old, new], axis=1).astype(np.float32)
                length = np.linalg.norm(new - old, axis=1)
                self._at[split] = _Steps(
                    self._own[rows],
                    states,
                    steps.reach(states, self._settings.neighbours),
                    float(np.median(length)) if len(length) else 0.0,
                )
            return self._at[split]


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    own: NDArray[np.int64]
    states: NDArray[np.float32]
    reach: NDArray[np.float32]
    length: float


def candidates(patches: Histories, common: Common, settings: Settings) -> Candidates:
    """The strongest change of each patch that has a split, scored and dated."""
    sums = steps.running(patches.vectors, patches.clear)
    # A state begins with an observation: splits before unseen dates say nothing new.
    strength = np.where(patches.clear, steps.strength(sums, settings.min_segment), 0.0)
    strongest = strength.max(axis=1, initial=0.0)
    row = np.flatnonzero(strongest > 0)
    split = strength[row].argmax(axis=1)
    passing, came, went = steps.excursion(sums, settings.min_segment)
    lasts = passing[row] <= _CLEARLY * strongest[row]
    t = patches.clear.shape[1]
    first = np.where(lasts, split, came[row])
    end = np.where(lasts, t, went[row])
    rare = _rarity(patches, sums, row, first, common)
    aside = np.nan_to_num(patches.aside[row], nan=common.typical_aside)
    score = strength[row, first] / common.typical * np.sqrt(rare)
    score *= (aside / common.typical_aside) ** 0.25
    kept = (score >= settings.min_score) & (
        np.maximum(strongest, passing)[row] >= settings.min_strength
    )
    kept &= ~(patches.aside[row] < settings.min_aside)
    began = _onset(patches, sums, row, first, end)
    return Candidates(row, began, end, score.astype(np.float32), lasts, kept)


def _rarity(
    patches: Histories,
    sums: steps.Running,
    row: NDArray[np.int64],
    split: NDArray[np.int64],
    common: Common,
) -> NDArray[np.float64]:
    """(m,) how rare the step of each patch is among the pool's of the same date."""
    before, after = steps.states(sums, row, split)
    rare = np.ones(len(row))
    for at in np.unique(split):
        here = split == at
        rare[here] = common.rarity(
            before[here],
            after[here],
            patches.own[row[here]],
            int(patches.columns[at]),
        )
    return rare


def _onset(
    patches: Histories,
    sums: steps.Running,
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    end: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The first clear date of the new state, by the evidence of each date."""
    inside = sums.total[row, end] - sums.total[row, first]
    count = np.maximum(sums.count[row, end] - sums.count[row, first], 1.0)
    new = sums.center[row] + inside / count[:, None]
    before, _ = steps.states(sums, row, first)
    gone = onset.progress(patches.vectors[row], before, new)
    return onset.estimate(gone, patches.clear[row], end)
