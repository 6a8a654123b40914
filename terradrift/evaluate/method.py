"""What is evaluated: a method that judges series, whatever is inside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from terradrift.series import Series


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a method says of `n` patches; the larger a score, the more it says "changed"."""

    score: NDArray[np.float32]
    """(n,), NaN where the method abstains."""
    onset: NDArray[np.datetime64]
    """(n,), datetime64[D], when by the method, NaT where it does not say."""
    reported: NDArray[np.bool_]
    """(n,), whether a user would be told of a change; all False for a method that only ranks."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Scores of observations of one block, by a method that judges single dates."""

    score: NDArray[np.float32]
    """(n, t), NaN where it abstains; of dates up to the scored one only."""


class Method(Protocol):
    """Judges whole histories; a frozen dataclass whose `repr` says how."""

    @property
    def name(self) -> str:
        """A short name for tables: `drift`, `temporal-median`, `changes`."""
        ...

    def judge(self, series: Sequence[Series]) -> Judged:
        """Judge all patches of the blocks, in their order, from their whole histories."""
        ...

    def frames(self, series: Sequence[Series]) -> list[Frames] | None:
        """Score every observation of each block; None where the method has no such score."""
        ...
