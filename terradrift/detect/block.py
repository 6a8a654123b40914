"""What detection says of a block of patches: scores of observations, and changes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of `n` patches on `t` dates; NaN means null, and `reason` says why."""

    n_reference: NDArray[np.int32]
    """(n, t), own past observations that drift was measured to."""
    n_controls: NDArray[np.int32]
    """(n, t), analogues that z was measured to."""
    reference: NDArray[np.str_]
    """(n, t), `season` or `recent` (which own past drift is measured to), `+analogues`
    where z is measured to analogues, and then `+calm`, `+usual` or `+restless` where the
    p-value is a rank among patches that were as restless so far; empty where there is no
    reference."""
    drift: NDArray[np.float32]
    """(n, t), 0..2: how far the patch is from its past, and further than its like moved.

    The geometric mean of up to three distances, each about 0 where alike and 1 where
    unrelated: the cosine distance to the own past, which are the clear observations of the
    season before the date or else the last ones (`reference`); the distance to what the
    regression of the scene on such pasts lets expect (`scene`), where 8 patches of the
    pool are clear and have a past; and the distance to what the analogues show, once the
    past has `min_reference` observations."""
    z: NDArray[np.float32]
    """(n, t), robust standard deviations above what the analogues show when each is judged
    by its own analogues, or, without analogues, the left-out scores of the own reference."""
    p_value: NDArray[np.float32]
    """(n, t), 0..1, rank among the pool's z (`ranks.Ranks`), NaN where fewer than 20 are
    known; or, without analogues, of drift among the left-out scores of the own reference."""
    lof: NDArray[np.float32]
    """(n, t), novelty LOF against the patch's own clear past, about 1 inside it."""
    cusum: NDArray[np.float32]
    """(n, t), sum of evidence."""
    ewma: NDArray[np.float32]
    """(n, t), moving average of z."""
    reason: NDArray[np.str_]
    """(n, t), why drift, z or p_value is null; empty where none is."""


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """`m` changes of a block, in order of patch and time."""

    row: NDArray[np.int64]
    """(m,), patch within the block."""
    number: NDArray[np.int32]
    """(m,), 1, 2, ... in order of time within the patch."""
    onset: NDArray[np.datetime64]
    """(m,), datetime64[us], UTC, the first clear observation of the new state."""
    onset_early: NDArray[np.datetime64]
    """(m,), the change came after this clear observation at 95 %; `date_before` or earlier."""
    onset_late: NDArray[np.datetime64]
    """(m,), and up to this one; `date_after` or later."""
    ended: NDArray[np.datetime64]
    """(m,), the first clear observation with the old state back, NaT where it did not come."""
    date_before: NDArray[np.datetime64]
    """(m,), the last clear observation before the onset."""
    date_after: NDArray[np.datetime64]
    """(m,), the first clear observation with the change."""
    gap_days: NDArray[np.float32]
    """(m,), days from `date_before` to `date_after`."""
    n_reference: NDArray[np.int32]
    """(m,), on the onset, as are the next five."""
    n_controls: NDArray[np.int32]
    controls: NDArray[np.str_]
    """(m, 10), patch ids of the nearest analogues, nearest first, empty where there is none."""
    reference: NDArray[np.str_]
    drift: NDArray[np.float32]
    z: NDArray[np.float32]
    p_value: NDArray[np.float32]
    """(m,), 0..1, chance that an unchanged patch has a candidate that scores as much."""
    false_alarms: NDArray[np.float32]
    """(m,), expected unchanged patches per 1,000 km2 and year that are told as changed where
    all that score at least as much are taken: of a patch, further changes are not counted.
    NaN where the ids do not tell the size of a patch."""
    score: NDArray[np.float32]
    """(m,), rank of changes; larger is more of a lasting step that its like did not make."""
    persistence: NDArray[np.str_]
    """(m,), `persistent`, `transient`, `gradual` or `seasonal`."""
    indices: NDArray[np.float32]
    """(m, 3), NDVI, NBR, NDWI after minus before."""
    before: NDArray[np.float32]
    """(m, d), median vector before."""
    after: NDArray[np.float32]
    """(m, d), median vector after."""

    @property
    def delta(self) -> NDArray[np.float32]:
        """(m, d), after minus before."""
        return self.after - self.before

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """The strongest candidate of each of `n` patches, whether it is reported or not."""

    n_clear: NDArray[np.int32]
    """(n,), clear observations."""
    score: NDArray[np.float32]
    """(n,), NaN where the history cannot be judged; `reason` says why."""
    p_value: NDArray[np.float32]
    """(n,), 0..1, chance that an unchanged patch has a candidate at least as strong."""
    false_alarms: NDArray[np.float32]
    """(n,), expected false changes per 1,000 km2 and year where all that score at least as
    much are taken; NaN where the ids do not tell the size of a patch."""
    onset: NDArray[np.datetime64]
    """(n,), datetime64[us], NaT where there is no candidate."""
    persistence: NDArray[np.str_]
    """(n,), empty where there is no candidate."""
    reason: NDArray[np.str_]
    """(n,), empty where the history can be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Scores and changes of the patches of one `Series`, in its order."""

    patch_ids: NDArray[np.str_]
    """(n,)"""
    cells: NDArray[np.int64]
    """(n, 3), as in `Series`."""
    times: NDArray[np.datetime64]
    """(n, t), datetime64[us], NaT where there is no observation."""
    clear_percent: NDArray[np.float32]
    """(n, t)"""
    scores: Scores
    changes: Changes
    patches: Patches
