"""Surprise: what analogues do not explain, less what they never explained (pure).

On each date a patch is expected to look like its analogues (`analogue`), give or take what it
has differed from them all along: difference in differences on synthetic controls. What is left
over is measured in units of how such leftovers usually spread, as in the chronochrome of
Schaum and Stocker (1997), by the Mahalanobis distance with a robust covariance of all up to
the date, that date's included, and in units of how large the patch's own have been. A harvest
that analogues share, a town that is brighter than its like and a field that is restless by
nature do not surprise.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import analogue
from terradrift.detect.median import complete, observed, past_median

_RIDGE = 0.02
"""Added to the variance along every axis, as a share of the mean variance."""
_OWN = 1.0
"""Weight of the usual length beside the patch's own, which is a median of few."""
_POOL = 4096
"""Patches, at most, that serve as analogues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """The detector `surprise`; the other patches of the scene are the analogues."""

    scene: ClassVar[bool] = True
    """Wants the patches of a scene together."""

    controls: int = 40
    """Analogues a patch is compared with on the same date, at most a sixth of those there."""
    min_controls: int = 8
    min_past: int = 4
    """Earlier dates with analogues that tell what a patch always differs by."""

    def __post_init__(self) -> None:
        for name in ("controls", "min_controls", "min_past"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), 0 or more, about 1 where nothing is unusual.

        NaN without analogues, or with fewer than `min_past` dates before, and before that
        many that tell how leftovers spread.
        """
        values = observed(days, vectors, clear)
        seen = complete(values)
        residual = self._residual(np.where(seen[..., None], values, 0), seen)
        left = residual - past_median(residual, self.min_past)
        return _lengths(left, self.min_past)

    def _residual(
        self, vectors: NDArray[np.float32], seen: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(n, t, d) vectors less what analogues let expect; NaN where there are too few."""
        residual = np.full(vectors.shape, np.nan, np.float32)
        n = len(vectors)
        chosen = np.linspace(0, n - 1, min(n, _POOL)).astype(np.int64)
        place = np.full(n, -1)
        place[chosen] = np.arange(len(chosen))
        pool = np.ascontiguousarray(vectors[chosen])
        for found in analogue.controls(
            analogue.Histories(vectors, seen),
            analogue.Histories(pool, seen[chosen]),
            place,
            most=self.controls,
            least=self.min_controls,
        ):
            expected = analogue.expected(found, pool, found.at)
            residual[found.rows, found.at] = vectors[found.rows, found.at] - expected
        return residual


def _lengths(left: NDArray[np.float32], least: int) -> NDArray[np.float32]:
    """(n, t) length of leftovers (n, t, d), beside earlier ones of all and of the patch."""
    n, t, d = left.shape
    known = complete(left)
    length = np.full((n, t), np.nan, np.float32)
    typical = np.full(t, np.nan, np.float32)
    squares, weight = np.zeros((d, d)), 0.0
    for at in range(t):
        rows = np.flatnonzero(known[:, at])
        if len(rows) == 0:
            continue
        now = left[rows, at].astype(np.float64)
        share = _share(now)
        squares += (now.T * share) @ now
        weight += float(share.sum())
        if weight <= d:
            continue
        spread = squares / weight
        spread += (_RIDGE * np.trace(spread) / d + 1e-12) * np.eye(d)
        half = np.linalg.cholesky(np.linalg.inv(spread))
        length[rows, at] = np.linalg.norm(now @ half, axis=1)
        typical[at] = np.median(length[rows, at])
    own = past_median(length[..., None], least)[..., 0]
    usual = _running_median(typical)
    own = np.where(np.isfinite(own), own, usual)
    out: NDArray[np.float32] = (length * (1 + _OWN) / (own + _OWN * usual)).astype(
        np.float32
    )
    return out


def _share(now: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,) Cauchy weights of the leftovers (m, d) of a date: what changed must not count."""
    length = np.linalg.norm(now, axis=1)
    share: NDArray[np.float64] = 1 / (1 + (length / (np.median(length) + 1e-12)) ** 2)
    return share


def _running_median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(t,) median of the known values up to each date, that date's too; NaN before any."""
    out = np.full(len(values), np.nan, np.float32)
    for at in range(len(values)):
        known = values[: at + 1][np.isfinite(values[: at + 1])]
        if len(known):
            out[at] = np.median(known)
    return out
