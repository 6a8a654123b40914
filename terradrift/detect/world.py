"""What every block is judged by: components, pool, scene-wide shifts, common steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terradrift.detect import (
    analogue,
    calibration,
    describe,
    observe,
    pool,
    score,
    whole,
)
from terradrift.detect.block import Block
from terradrift.detect.calibration import Calibration
from terradrift.detect.lof import Lof
from terradrift.detect.own import own
from terradrift.detect.placebo import Placebo
from terradrift.detect.scene import Scene
from terradrift.space import placed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.detect.settings import Settings
    from terradrift.series import Series
    from terradrift.space import Space

_PLACEBOS = 1024
"""Pool patches that are judged by the others, for the null of changes."""
_MIN_SCENE = 8
"""Pool patches that must be clear on a date for its scene-wide shift to be known."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Fixed once the pool is full; blocks are then judged in any order."""

    basis: pool.Basis
    members: pool.Pool
    settings: Settings
    shift: NDArray[np.float32]
    """(t, r), scene-wide vector of each date of the pool."""
    drift_shift: NDArray[np.float32]
    """(t,), scene-wide z of own drift."""
    scene: Scene
    """What the scene lets expect on each date of the pool."""
    placebo: Placebo
    """How the pool's patches compare with their own analogues."""
    calibration: Calibration
    """What unchanged patches score, and what is reported."""
    space: Space | None = None
    """Where cosines are taken; None: of the vectors as they are."""

    @classmethod
    def of(
        cls,
        blocks: pool.Blocks,
        settings: Settings,
        space: Space | None = None,
        threads: int = 1,
    ) -> World | None:
        """Read the archive twice: components first, then the pool. None: nothing clear."""
        fitted = pool.fit(blocks, settings)
        if fitted is None:
            return None
        basis, days = fitted
        members = pool.gather(blocks, basis, days, settings, space)
        shift = scene_shift(members.vectors, members.clear)
        some = np.linspace(0, len(members) - 1, min(len(members), _PLACEBOS))
        chosen = np.unique(some.astype(np.int64))
        placebo, residual, compared = Placebo.of(members, chosen, settings, threads)
        own_histories = score.Histories.of(
            members.vectors[chosen] - shift,
            members.clear[chosen],
            residual,
            compared,
            settings.outlier,
        )
        strongest = score.strongest(own_histories, settings.min_segment)
        drift_shift = scene_shift(
            members.z[..., None], members.clear & np.isfinite(members.z)
        )[:, 0]
        return cls(
            basis,
            members,
            settings,
            shift,
            drift_shift,
            Scene(members, settings),
            placebo,
            Calibration.of(strongest, days, settings),
            space,
        )

    def judge(self, series: Series) -> Block:
        """Scores and changes of one block."""
        settings = self.settings
        clear = pool.usable(series, settings)
        where = np.flatnonzero(clear.any(axis=0))
        columns = self.members.on(series.days[where])
        vectors = self.basis.reduce(series.vectors[:, where], clear[:, where])
        members = self.members.find(series.patch_ids)
        seen, days = clear[:, where], series.days[where]
        full = placed(series.vectors[:, where], seen, self.space)
        patches = analogue.Histories(vectors, seen)
        others = observe.beside(patches, columns, members, self.members, settings)
        judged = observe.scores(
            own(full, seen, days, settings),
            others,
            self.scene.apart(patches, days, columns, members),
            ranked=self.placebo.rank(others, columns, members, settings),
            shift=self.drift_shift[columns],
            lof=Lof().detect(days, full, seen),
            settings=settings,
        )
        scores = observe.placed(judged, where, np.isfinite(series.clear_percent))
        shifted = vectors - self.shift[columns]
        histories = score.Histories.of(
            shifted, seen, others.residual, others.count > 0, settings.outlier
        )
        alarms = calibration.alarms_if_all(series.patch_ids, days, seen)
        judged_whole = whole.judge(histories, vectors, days, alarms, self.calibration)
        dates = describe.Dates(clear, where, settings.window_days)
        return Block(
            series.patch_ids,
            series.cells,
            series.times,
            series.clear_percent,
            scores,
            describe.changes(
                series,
                dates,
                judged_whole.found,
                scores,
                self._calibrated(judged_whole.found, others, alarms),
            ),
            describe.patches(series, dates, judged_whole, self.calibration, alarms),
        )

    def _calibrated(
        self,
        found: whole.Candidates,
        others: observe.Beside,
        alarms: NDArray[np.float64],
    ) -> describe.Calibrated:
        """p-values of changes, and the ids of their analogues."""
        p = self.calibration.p_value(found.score)
        near = others.controls_at(found.row, found.first, describe.CONTROLS)
        names = np.where(near >= 0, self.members.patch_ids[np.maximum(near, 0)], "")
        return describe.Calibrated(p, p * alarms[found.row], names)


def scene_shift(
    vectors: NDArray[np.float32], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(t, r) median of the patches (m, t, r) on each date: season, sun and haze of the scene.

    0 on dates on which fewer than `_MIN_SCENE` patches are clear.
    """
    shift = np.zeros(vectors.shape[1:], np.float32)
    for at in range(len(shift)):
        there = clear[:, at]
        if there.sum() >= _MIN_SCENE:
            shift[at] = np.median(vectors[there, at], axis=0)
    return shift
