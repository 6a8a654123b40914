"""What the distance to analogues means: the pool's patches judged in the same way (pure).

The placebo test of synthetic control (Abadie, Diamond & Hainmueller 2010): every patch of
the pool is judged against its own analogues on every date, itself left out. A patch's z is
its distance less the median of its analogues' placebo distances, over their spread; all
were made out of sample, as the patch's own.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import analogue, calibrate, observe
from terradrift.detect.pool import Pool
from terradrift.detect.ranks import Ranks
from terradrift.detect.settings import Settings

_ROWS = 512
"""Patches compared at once: bounds memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Placebo:
    """The pool's `m` patches on its `t` dates, beside their own analogues."""

    length: NDArray[np.float32]
    """(m, t), distance to the expected vector, NaN where none is."""
    z: NDArray[np.float32]
    """(m, t)"""
    ranks: Ranks
    """Where a z stands among those of the pool."""

    @classmethod
    def of(
        cls,
        pool: Pool,
        kept: NDArray[np.int64],
        settings: Settings,
        threads: int = 1,
    ) -> "tuple[Placebo, NDArray[np.float32], NDArray[np.bool_]]":
        """Judge the pool by itself.

        Also returns, of the members `kept` (k,), ascending, the residuals (k, t, r) and
        where (k, t) they had analogues.
        """
        every = np.arange(len(pool.days))

        def judge(start: int) -> tuple[NDArray[Any], ...]:
            rows = np.arange(start, min(start + _ROWS, len(pool)))
            patches = analogue.Histories(pool.vectors[rows], pool.clear[rows])
            found = observe.beside(patches, every, rows, pool, settings)
            wanted = np.isin(rows, kept)
            return (
                found.length,
                found.index,
                found.residual[wanted],
                found.count[wanted] > 0,
            )

        with ThreadPoolExecutor(threads) as workers:
            parts = list(workers.map(judge, range(0, len(pool), _ROWS)))
        length, index, residual, compared = (
            np.concatenate(one) for one in zip(*parts, strict=True)
        )
        z = beside_controls(length, index, length, settings)
        return cls(length, z, Ranks(z, pool.days, settings)), residual, compared

    def rank(
        self,
        found: observe.Beside,
        columns: NDArray[np.int64],
        members: NDArray[np.int64],
        settings: Settings,
    ) -> observe.Ranked:
        """Z and p-values of patches on the pool's dates `columns` (t,).

        `members` (n,) are the patches' places in the pool, -1 where they are not in it.
        """
        z = beside_controls(
            found.length, found.index, self.length[:, columns], settings
        )
        # Rounding differs by the block: a member stands where the pool has it.
        inside = np.flatnonzero(members >= 0)
        z[inside] = self.z[members[inside][:, None], columns]
        p, group = self.ranks.p_value(z, columns, members)
        return observe.Ranked(z, p, group)


def beside_controls(
    length: NDArray[np.float32],
    index: NDArray[np.int32],
    placebo: NDArray[np.float32],
    settings: Settings,
) -> NDArray[np.float32]:
    """(n, t) distances (n, t) in robust standard deviations of the controls' placebo ones.

    `index` (n, t, k) are the controls' places among the rows of `placebo` (m, t), or -1.
    NaN where fewer than `min_controls` of them have a distance.
    """
    z = np.full(length.shape, np.nan, np.float32)
    for at in range(length.shape[1]):
        rows = np.flatnonzero(np.isfinite(length[:, at]))
        near = index[rows, at]
        usual = placebo[np.maximum(near, 0), at]
        valid = (near >= 0) & np.isfinite(usual)
        enough = valid.sum(axis=1) >= settings.min_controls
        rows, usual, valid = rows[enough], usual[enough], valid[enough]
        usual = np.where(valid, usual, np.float32(0))
        floor = settings.floor * calibrate.masked_median(usual, valid) + 1e-6
        z[rows, at] = calibrate.robust_z(length[rows, at], usual, valid, floor)
    return z
