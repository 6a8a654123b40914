"""What all patches of each regime amount to: how many, who is typical, what they look like."""

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.taxonomy.paths import Read
from terradrift.detect.taxonomy.assign import Assigned
from terradrift.detect.taxonomy.names import Name, names
from terradrift.detect.taxonomy.representatives import distances_to
from terradrift.detect.taxonomy.split import NONE
from terradrift.detect.taxonomy.tree import Taxonomy

REPRESENTATIVES = 5


class Tally:
    """Counts block by block; the order of blocks does not matter."""

    def __init__(self, found: Taxonomy) -> None:
        self.found = found
        self.size = np.zeros(len(found.regimes), np.int64)
        self.nearest: list[list[tuple[float, str]]] = [[] for _ in found.regimes]
        """Distance and id of those that look most like each regime, nearest first."""
        self._indices: dict[int, tuple[NDArray[np.float64], NDArray[np.int64]]] = {}

    def add(self, read: Read, placed: Assigned) -> None:
        """Count a block."""
        paths = read.paths
        for regime in self.found.regimes:
            of = placed.ground if regime.parent == NONE else placed.regime
            own = of == regime.number
            self.size[regime.number] += int(own.sum())
            rows = np.flatnonzero(own & paths.whole)
            gap = distances_to(paths.values[rows], paths.known[rows], regime.path)
            both = [
                *self.nearest[regime.number],
                *zip(gap.tolist(), paths.patch_ids[rows].tolist(), strict=True),
            ]
            self.nearest[regime.number] = sorted(both)[:REPRESENTATIVES]
            self._look(read, own, regime.number)

    def _look(self, read: Read, own: NDArray[np.bool_], number: int) -> None:
        block = read.block
        for date in np.flatnonzero(read.clear[own].any(axis=0)):
            values = block.indices[own & read.clear[:, date], date].astype(np.float64)
            known = np.isfinite(values)
            day = int(block.days[date].astype(np.int64))
            total, count = self._indices.setdefault(day, self._nothing())
            total[number] += np.where(known, values, 0).sum(axis=0)
            count[number] += known.sum(axis=0)

    def _nothing(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        k = len(self.found.regimes)
        return np.zeros((k, 3)), np.zeros((k, 3), np.int64)

    def names(self) -> list[Name]:
        """A name for each regime by the indices of its members, each its own on its level."""
        days = sorted(self._indices)
        course = np.full((len(self.found.regimes), len(days), 3), np.nan)
        for at, day in enumerate(days):
            total, count = self._indices[day]
            np.divide(total, count, out=course[:, at], where=count > 0)
        when = np.array(days, np.int64).astype("datetime64[D]")
        level = np.array([each.level for each in self.found.regimes])
        given: dict[int, Name] = {}
        for each in np.unique(level):
            numbers = np.flatnonzero(level == each)
            told = names(course[numbers], when)
            given.update(zip(numbers.tolist(), told, strict=True))
        return [given[number] for number in range(len(level))]
