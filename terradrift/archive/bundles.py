"""Units of work in bundles, each for one worker to read, embed and write (pure)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from terradrift.archive.reading import Reading
from terradrift.grid import Grid
from terradrift.ingest.plan import Unit
from terradrift.ingest.strip import side_by_side
from terradrift.ingest.walk import Walk
from terradrift.store.sameday import Place

OBSERVATIONS = 1 << 15
"""Patches times dates of a bundle: seconds to minutes of work, and a file of some MB."""
_PER_WORKER = 4
"""Bundles that each worker gets at least, so that all end at about the same time."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Some units of a plan that are read, embedded and written together."""

    number: int
    reading: Reading
    clash: frozenset[Place]
    """Tiles and days of it that the store holds rows of already."""
    attempts: int = 0
    """How often it was lost with the worker that had it."""

    @property
    def asked(self) -> int:
        """Units that are embedded; the others are only looked back at."""
        return len(self.reading.asked)

    def again(self) -> "Bundle":
        """The same after a worker was lost over it."""
        return replace(self, attempts=self.attempts + 1)


def bundles(
    reading: Reading, grid: Grid, stored: frozenset[Place], *, workers: int
) -> Iterator[Bundle]:
    """All units of `reading` in order, in bundles whose images need no other bundle's.

    Tiles side by side, which are read in one window, stay together; so do all days of a
    strip where images are looked back at.
    """
    plan = reading.plan
    size = max(1, min(OBSERVATIONS, plan.observations // (_PER_WORKER * workers)))
    groups: Iterator[list[Unit]]
    if reading.visits:
        walk = Walk.of(grid, len(plan.bands))
        strips = groupby(plan.units, lambda unit: walk.strip(unit.tile))
        groups = (list(units) for _, units in strips)
        size = 1
    else:
        groups = side_by_side(plan, grid)
    for number, units in enumerate(_filled(groups, size)):
        yield Bundle(number, _part(reading, units), _days(units) & stored)


def _filled(groups: Iterator[list[Unit]], size: int) -> Iterator[list[Unit]]:
    """Groups one after the other until there are `size` observations."""
    waiting: list[Unit] = []
    for group in groups:
        waiting += group
        if sum(unit.ground.rows.size for unit in waiting) >= size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _part(reading: Reading, units: list[Unit]) -> Reading:
    plan = reading.plan
    places = {(unit.tile, unit.day) for unit in units}
    scenes = sorted({scene for unit in units for scene in unit.scene_ids})
    return Reading(
        plan=replace(
            plan,
            units=tuple(units),
            acquisitions={scene: plan.acquisitions[scene] for scene in scenes},
            observations=sum(unit.ground.rows.size for unit in units),
        ),
        asked=reading.asked & places,
        visits=Counter(unit.tile for unit in units) if reading.visits else {},
    )


def _days(units: list[Unit]) -> frozenset[Place]:
    return frozenset(
        (unit.tile, int(unit.day.astype("datetime64[D]").astype(np.int64)))
        for unit in units
    )
