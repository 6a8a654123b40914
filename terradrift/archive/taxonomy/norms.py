"""How patches compare with others of their regime, date by date, block by block."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.taxonomy.model import Fitted
from terradrift.archive.taxonomy.paths import Histories, Read, stream
from terradrift.detect.taxonomy.assign import Assigned, assign
from terradrift.detect.taxonomy.flips import Flips, flips
from terradrift.detect.taxonomy.observed import observed
from terradrift.detect.taxonomy.scores import (
    LEAST,
    Deviations,
    Norms,
    beyond_own,
    judge,
    norms,
)
from terradrift.detect.taxonomy.split import NONE
from terradrift.detect.taxonomy.tree import Taxonomy

MEMBERS = 256
"""Patches of a leaf that others are compared with."""
_Number = TypeVar("_Number", np.float32, np.int32)
EARLIER = 4
"""Dates of a patch that have to lie before one with a score."""
_EARLY = f"fewer than {EARLIER} earlier dates"
_FEW = f"fewer than {LEAST} others of its regime were clear"


@dataclass(frozen=True, slots=True, eq=False)
class Left:
    """How `n` patches left the paths of their regimes, on the `t` days of a block."""

    deviations: Deviations
    beyond: NDArray[np.float32]
    """(n, t), the score: excess less the median of the patch's own earlier ones; NaN."""
    reason: NDArray[np.str_]
    """(n, t), why there is no score; empty where there is."""
    flips: Flips | None
    """At the steps of the calendar; None where years are taken together."""
    steps: NDArray[np.datetime64]
    """(s,), datetime64[D]."""


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """What members of each regime look like on each day."""

    taxonomy: Taxonomy
    days: NDArray[np.datetime64]
    """(t,), datetime64[D], ascending."""
    norms: Norms
    members: NDArray[np.str_]
    """Ids of the patches that it is made of, sorted."""

    @classmethod
    def of(cls, histories: Histories, fitted: Fitted, *, threads: int) -> "Standard":
        """Read the members, and measure them."""
        found = fitted.taxonomy
        parts, label = [], []
        for read in stream(
            histories,
            fitted.projection,
            found.calendar,
            threads=threads,
            only=fitted.members,
        ):
            if not len(read.paths):
                continue
            block = replace(read.block, vectors=read.reduced.astype(np.float32))
            parts.append((block, read.clear))
            label.append(assign(found, read.paths).regime)
        seen = observed(parts)
        measured = norms(
            seen.vectors, seen.clear, np.concatenate(label), len(found.regimes)
        )
        return cls(found, seen.days, measured, fitted.members)

    def judge(self, read: Read, placed: Assigned) -> Left:
        """Compare a block with it."""
        block = read.block
        at = np.minimum(np.searchsorted(self.days, block.days), len(self.days) - 1)
        there = np.flatnonzero(self.days[at] == block.days)
        member = np.isin(block.patch_ids, self.members)
        same = Norms(
            *(
                getattr(self.norms, name)[:, at[there]]
                for name in ("mean", "count", "distances", "median", "spread")
            )
        )
        told = judge(
            same, read.reduced[:, there], read.clear[:, there], placed.regime, member
        )
        t = len(block.days)
        whole = Deviations(
            distance=_spread(told.distance, there, t),
            excess=_spread(told.excess, there, t),
            z=_spread(told.z, there, t),
            p_value=_spread(told.p_value, there, t),
            members=_spread(told.members, there, t),
        )
        beyond = beyond_own(whole.excess, least=EARLIER)
        return Left(
            whole,
            beyond,
            self._reasons(read, placed, whole, beyond),
            self._flips(read),
            self.taxonomy.calendar.steps,
        )

    def _reasons(
        self,
        read: Read,
        placed: Assigned,
        told: Deviations,
        beyond: NDArray[np.float32],
    ) -> NDArray[np.str_]:
        words = np.where(np.isfinite(beyond), "", _EARLY)
        words = np.where(np.isfinite(told.distance), words, _FEW)
        words = np.where((placed.regime == NONE)[:, None], "no regime", words)
        return np.where(read.clear, words, "not clear enough")

    def _flips(self, read: Read) -> Flips | None:
        if self.taxonomy.calendar.folded:
            return None
        # Between grounds: paths of one ground are so alike that a season turns them.
        ground = np.stack([each.path for each in self.taxonomy.ground])
        return flips(read.paths.values, read.paths.known, ground)


def members(ids: NDArray[np.str_], placed: Assigned) -> NDArray[np.str_]:
    """Which of the sample others are compared with, sorted: at most so many of each leaf."""
    chosen = [
        _evenly(np.sort(ids[placed.regime == number]))
        for number in np.unique(placed.regime[placed.regime != NONE])
    ]
    return np.sort(np.concatenate(chosen))


def _evenly(ids: NDArray[np.str_]) -> NDArray[np.str_]:
    at = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), MEMBERS)).astype(int))
    return np.asarray(ids[at])


def _spread(
    values: NDArray[_Number], columns: NDArray[np.int64], t: int
) -> NDArray[_Number]:
    """(n, k) values at `columns` of (n, t); NaN, or 0 of integers, elsewhere."""
    empty = np.nan if np.issubdtype(values.dtype, np.floating) else 0
    whole = np.full((len(values), t), empty, values.dtype)
    whole[:, columns] = values
    return whole
