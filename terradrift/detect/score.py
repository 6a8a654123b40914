"""How strong the strongest candidate for a change is in each history (pure).

Two series speak of a patch: its history less the scene-wide shift of each date, and its
residual to analogues. In both, every split of the dates has a strength (`steps.strength`).
The score is the greatest strength of the first, times that of the second to the power of
0.6: what a whole land cover does together is a season rather than a change, but a large
event must not vanish because its analogues had it too. A state that came and went is found
likewise (`steps.excursion`), and counts half: it has one more free date, what returns
matters less than what lasts, and at half nothing is lost of what lasts.

A history can be judged inside a window of dates, as between two changes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import steps

CLEARLY = 1.2
"""How much stronger an excursion must be than a lasting step to be believed.

It has one more free date, and so always fits somewhat better."""
_ASIDE = 0.6
"""Power of the strength beside analogues. From 0.5 to 1 real series are ranked about as well
(docs/decisions/0011); below, strong seasons of a land cover outrank changes, and above, an
event that took the analogues along falls behind."""
_RETURNED = 0.5
"""Weight of what came and went."""


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Reduced and tempered histories of `n` patches on `t` dates, seen in two ways."""

    vectors: NDArray[np.float32]
    """(n, t, r), less the scene-wide shift."""
    clear: NDArray[np.bool_]
    """(n, t)"""
    residual: NDArray[np.float32]
    """(n, t, r), less what analogues let expect."""
    compared: NDArray[np.bool_]
    """(n, t), which dates had analogues."""

    @classmethod
    def of(
        cls,
        shifted: NDArray[np.float32],
        clear: NDArray[np.bool_],
        residual: NDArray[np.float32],
        compared: NDArray[np.bool_],
        outlier: float,
    ) -> "Histories":
        """Temper both series (`steps.tempered`)."""
        return cls(
            steps.tempered(shifted, clear, outlier),
            clear,
            steps.tempered(residual, compared, outlier),
            compared,
        )

    def __len__(self) -> int:
        return len(self.clear)

    def take(self, rows: NDArray[np.int64]) -> "Histories":
        """The histories of `rows`."""
        return Histories(*(getattr(self, name)[rows] for name in self.__slots__))

    def within(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> "Histories":
        """The same with nothing before `begin` (n,) and from `end` (n,) on."""
        at = np.arange(self.clear.shape[1])
        inside = (at >= begin[:, None]) & (at < end[:, None])
        return Histories(
            self.vectors,
            self.clear & inside,
            self.residual,
            self.compared & inside,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Strongest:
    """The strongest candidate of each of `n` histories."""

    score: NDArray[np.float32]
    """(n,), NaN where no split leaves enough dates on both sides."""
    aside: NDArray[np.float64]
    """(n,), greatest strength beside analogues, 0 without them."""
    first: NDArray[np.int64]
    """(n,), number of the first clear date of the new state; 0 without a candidate."""
    end: NDArray[np.int64]
    """(n,), number of the first date after it, t where it lasts."""
    lasts: NDArray[np.bool_]
    """(n,)"""


def strongest(patches: Histories, least: int) -> Strongest:
    """Judge whole histories; a state needs `least` clear dates."""
    sums, beside = _sums(patches)
    # A state begins with an observation: splits before unseen dates say nothing new.
    strength = np.where(patches.clear, steps.strength(sums, least), 0.0)
    step = strength.max(axis=1, initial=0.0)
    passing, came, went = steps.excursion(sums, least)
    aside = steps.strength(beside, least).max(axis=1, initial=0.0)
    aside_passing = steps.window(beside, came, went, least)
    # Before the first analogues, the strongest step beside them stands for the window.
    aside_passing = np.where(aside_passing > 0, aside_passing, aside)
    lasting = _joined(step, aside)
    returned = _RETURNED * _joined(passing, aside_passing)
    t = patches.clear.shape[1]
    split = strength.argmax(axis=1) if t else np.zeros(len(patches), np.int64)
    lasts = passing <= CLEARLY * step
    found = step > 0
    return Strongest(
        np.where(found, np.maximum(lasting, returned), np.nan).astype(np.float32),
        aside,
        np.where(found, np.where(lasts, split, came), 0),
        np.where(lasts | ~found, t, went),
        lasts | ~found,
    )


def at_split(
    patches: Histories, split: NDArray[np.int64], least: int
) -> NDArray[np.float64]:
    """(n,) score of a step before date number `split` (n,); 0 where it cannot be told."""
    each = np.arange(len(patches))
    step, aside = (steps.strength(sums, least)[each, split] for sums in _sums(patches))
    return _joined(step, aside)


def _sums(patches: Histories) -> tuple[steps.Running, steps.Running]:
    return (
        steps.running(patches.vectors, patches.clear),
        steps.running(patches.residual, patches.compared),
    )


def _joined(
    strength: NDArray[np.float64], aside: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Both strengths together; without analogues the first stands for the second."""
    joined: NDArray[np.float64] = (
        strength * np.where(aside > 0, aside, strength) ** _ASIDE
    )
    return joined
