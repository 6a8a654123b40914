"""What is read for what is embedded: a model of several dates needs the days before (pure)."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from terradrift.chip import TileImage
from terradrift.grid import Grid
from terradrift.ingest.plan import Plan, Unit
from terradrift.ingest.walk import Walk

Place = tuple[str, np.datetime64]
"""A tile and a day."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The units to read in order, and which of them are embedded."""

    plan: Plan
    asked: frozenset[Place]
    """Tiles and days that are embedded; the others are only looked back at."""
    visits: Mapping[str, int]
    """Images of each tile, for a model of several dates."""

    def wanted(self, image: TileImage) -> bool:
        """Whether the image is embedded."""
        return (image.tile, image.times.max().astype("datetime64[D]")) in self.asked


def alone(todo: Plan) -> Reading:
    """Each image by itself."""
    return Reading(todo, frozenset(map(_place, todo.units)), {})


def with_days_before(todo: Plan, whole: Plan, dates: int, grid: Grid) -> Reading:
    """Each tile's units of `todo` after the `dates` - 1 days before them, in order of time.

    `whole` is the plan of all that the archive's scenes show, done or not. Of a day that is
    done in part only the part in `todo` is looked back at. Strip by strip, all its days
    together, so that the days before are kept of few tiles at a time.
    """
    asked = frozenset(map(_place, todo.units))
    days: dict[str, list[Unit]] = defaultdict(list)
    for unit in sorted(whole.units, key=lambda unit: unit.day):
        days[unit.tile].append(unit)
    extra = []
    for units in days.values():
        missing = 0
        for unit in reversed(units):
            if _place(unit) in asked:
                missing = dates - 1
            elif missing > 0:
                extra.append(unit)
                missing -= 1
    walk = Walk.of(grid, len(todo.bands))
    units = sorted(
        [*todo.units, *extra],
        key=lambda unit: (walk.strip(unit.tile), unit.day, unit.scene_ids, unit.tile),
    )
    plan = replace(
        todo,
        units=tuple(units),
        acquisitions={**whole.acquisitions, **todo.acquisitions},
    )
    return Reading(plan, asked, Counter(unit.tile for unit in units))


def _place(unit: Unit) -> Place:
    return unit.tile, unit.day
