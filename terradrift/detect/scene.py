"""What the whole scene lets expect of a patch on a date, from its own past (pure).

Season, sun and haze move a patch by what it was: grass one way, forest another. So on each
date the vectors of the pool's patches are regressed on the means of their own references
(the chronochrome of Schaum & Stocker 1997, "Spectrally selective target detection"), by
ridge regression towards "as it was", with weights that fall with the fourth power of the
residual, so that patches which changed do not bend what is expected of the others, even
where they are many. A patch of the pool is judged by the
fit without it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import reference
from terradrift.detect.analogue import Histories
from terradrift.detect.pool import Pool
from terradrift.detect.settings import Settings

_LEAST = 8
"""Pool patches with a past that must be clear on a date for it to be fitted."""
_PATCHES_PER_TERM = 4
"""At least so many of them per component that is regressed on; the leading ones are."""
_RIDGE = 0.01
"""Penalty, as a share of the mean square of the components; between 0.001 and 0.03 the
results are the same."""
_ROUNDS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The regression of one date."""

    slopes: NDArray[np.floating]
    """(k + 1, r), of 1 and the leading k components of the past."""
    inverse: NDArray[np.floating]
    """(k + 1, k + 1), of the weighted and penalised squares."""
    typical: float
    """Median length of the residuals."""


class Scene:
    """The regressions of all dates of the pool."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        """Fit every date on which enough of the pool's patches are clear and have a past."""
        self._settings = settings
        self._square = pool.square
        self._fits: list[Fit | None] = []
        patches = Histories(pool.vectors, pool.clear)
        for at in range(len(pool.days)):
            rows, past = pasts(patches, pool.days, at, settings)
            self._fits.append(fit(past, pool.vectors[rows, at]))

    def apart(
        self,
        patches: Histories,
        days: NDArray[np.datetime64],
        columns: NDArray[np.int64],
        members: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """(n, t) half the squared distance to the expected vector, NaN where none is.

        In units of the pool's mean squared length, at most 2: as a cosine distance, 0
        where alike and about 1 where unrelated. `columns` (t,) place the dates among the
        pool's, `members` (n,) the patches in the pool, -1 where they are not in it.
        """
        out = np.full(patches.clear.shape, np.nan, np.float32)
        for at, column in enumerate(columns):
            found = self._fits[column]
            if found is None:
                continue
            rows, past = pasts(patches, days, at, self._settings)
            length = residual_length(
                found, past, patches.vectors[rows, at], members[rows] >= 0
            )
            out[rows, at] = np.minimum(length**2 / (2.0 * self._square), 2.0)
        return out


def pasts(
    patches: Histories, days: NDArray[np.datetime64], at: int, settings: Settings
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The patches (m,) that are clear on a date and have a past, and its mean (m, r)."""
    rows = np.flatnonzero(patches.clear[:, at])
    chosen, kind = reference.members(
        days[: at + 1],
        patches.clear[rows, : at + 1],
        at,
        window_days=settings.window_days,
        guard_days=settings.guard_days,
        least=settings.min_reference,
        most=settings.max_reference,
    )
    known = kind != reference.NONE
    rows, chosen = rows[known], chosen[known]
    valid = chosen >= 0
    share = valid / np.maximum(valid.sum(axis=1, keepdims=True), 1)
    members = patches.vectors[rows[:, None], np.maximum(chosen, 0)]
    mean = np.einsum("mk,mkr->mr", share.astype(np.float32), members)
    return rows, mean


def fit(past: NDArray[np.float32], now: NDArray[np.float32]) -> Fit | None:
    """Regress (m, r) vectors on their pasts (m, r); None where there are too few."""
    m, r = past.shape
    if m < _LEAST:
        return None
    k = min(r, m // _PATCHES_PER_TERM)
    terms = _terms(past, k)
    target = now.astype(np.float64)
    target[:, :k] -= past[:, :k]  # the penalty draws towards no movement, not towards 0
    weight = np.ones(m)
    for _ in range(_ROUNDS):
        weighted = terms.T * weight
        squares = weighted @ terms
        penalty = _RIDGE * np.trace(squares[1:, 1:]) / (len(squares) - 1)
        squares[1:, 1:] += (penalty + 1e-12) * np.eye(len(squares) - 1)
        inverse = np.linalg.inv(squares)
        slopes = inverse @ (weighted @ target)
        length = np.linalg.norm(target - terms @ slopes, axis=1)
        typical = float(np.median(length)) + 1e-12
        weight = _weight(length, typical)
    slopes[1:, :k] += np.eye(k)
    return Fit(slopes, inverse, typical)


def residual_length(
    found: Fit,
    past: NDArray[np.float32],
    now: NDArray[np.float32],
    fitted: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(m,) distance of (m, r) vectors to what their pasts (m, r) let expect.

    Where (m,) `fitted`, to what the fit without that patch expects.
    """
    terms = _terms(past, len(found.slopes) - 1)
    length: NDArray[np.float64] = np.linalg.norm(now - terms @ found.slopes, axis=1)
    leverage = (terms @ found.inverse * terms).sum(axis=1)
    leverage *= _weight(length, found.typical)
    without = length / np.maximum(1.0 - leverage, 0.05)
    return np.where(fitted, without, length)


def _terms(past: NDArray[np.float32], components: int) -> NDArray[np.float64]:
    one = np.ones((len(past), 1))
    return np.concatenate([one, past[:, :components].astype(np.float64)], axis=1)


def _weight(length: NDArray[np.float64], typical: float) -> NDArray[np.float64]:
    weight: NDArray[np.float64] = (1.0 + (length / typical) ** 2) ** -2.0
    return weight
