"""Mahalanobis distance of an observation to its own reference, shrunk (pure).

A reference has a handful of observations and vectors hundreds of dimensions, so the
covariance is shrunk towards a multiple of the identity by the share of Ledoit and Wolf
(2004). Mean, covariance and share come from the reference alone, never from the date that
is judged. All of it follows from inner products of the patch's own observations
(Woodbury), so no dimension is left out and turning the space changes nothing.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import drift, reference
from terradrift.detect.settings import Settings

_CHUNK_BYTES = 32 << 20
_LEAST_SHARE = 0.01
"""A covariance without shrinkage has no inverse beyond its observations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mahalanobis:
    """The detector `mahalanobis`: distance to the own reference in its own spread.

    Of vectors of length 1, as the cosine of `drift`. The reference is that of `drift`: the
    season before the date, or else the last observations.
    """

    window_days: int = 45
    guard_days: int = 10
    min_reference: int = 4
    max_reference: int = 12

    def __post_init__(self) -> None:
        self._settings()
        if not 2 <= self.min_reference <= self.max_reference:
            raise ValueError(
                "min_reference must be between 2 and max_reference "
                f"({self.max_reference}), got {self.min_reference}"
            )

    def _settings(self) -> Settings:
        return Settings(
            **{field.name: getattr(self, field.name) for field in fields(self)}
        )

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), about 1 inside the reference.

        The root of the squared distance per dimension. NaN where not clear, with fewer
        than `min_reference` observations in the reference, or where these are all equal.
        """
        if vectors.shape[:2] != clear.shape or len(days) != clear.shape[1]:
            raise ValueError(
                "expected days (t,), vectors (n, t, d) and clear (n, t), got "
                f"{days.shape}, {vectors.shape} and {clear.shape}"
            )
        n, t, d = vectors.shape
        out = np.full((n, t), np.nan, np.float32)
        size = max(1, _CHUNK_BYTES // max(4 * t * max(t, d), 1))
        for start in range(0, n if d else 0, size):
            part = slice(start, start + size)
            unit = drift.unit(np.where(clear[part, :, None], vectors[part], 0))
            gram = (unit @ unit.transpose(0, 2, 1)).astype(np.float64)
            out[part] = self._scores(days, gram, clear[part], d)
        return out

    def _scores(
        self,
        days: NDArray[np.datetime64],
        gram: NDArray[np.float64],
        clear: NDArray[np.bool_],
        d: int,
    ) -> NDArray[np.float32]:
        out = np.full(clear.shape, np.nan, np.float32)
        for at in range(len(days)):
            rows = np.flatnonzero(clear[:, at])
            chosen, _ = reference.members(
                days,
                clear[rows],
                at,
                window_days=self.window_days,
                guard_days=self.guard_days,
                least=self.min_reference,
                most=self.max_reference,
            )
            enough = (chosen >= 0).sum(axis=1) >= self.min_reference
            rows, chosen = rows[enough], chosen[enough]
            if len(rows):
                among = gram[rows[:, None, None], chosen[:, :, None], chosen[:, None]]
                to = np.take_along_axis(gram[rows, at], np.maximum(chosen, 0), 1)
                length = gram[rows, at, at]
                out[rows, at] = distance(among, to, length, chosen >= 0, d)
        return out


def distance(
    among: NDArray[np.float64],
    to: NDArray[np.float64],
    length: NDArray[np.float64],
    valid: NDArray[np.bool_],
    dimensions: int,
) -> NDArray[np.float64]:
    """(m,) root of the squared Mahalanobis distance per dimension.

    Args:
        among: (m, k, k), inner products of the reference's members.
        to: (m, k), of the judged vector with them.
        length: (m,), of the judged vector with itself.
        valid: (m, k), which members there are.
        dimensions: of the vectors.
    """
    count = valid.sum(axis=1).astype(np.float64)
    pairs = np.where(valid[:, :, None] & valid[:, None], among, 0.0)
    to = np.where(valid, to, 0.0)
    inner = pairs.sum(axis=2) / count[:, None]  # members with the mean
    square = inner.sum(axis=1) / count  # of the mean
    both = valid[:, :, None] & valid[:, None]
    centred = pairs - inner[:, :, None] - inner[:, None] + square[:, None, None]
    centred = np.where(both, centred, 0.0)
    across = np.where(
        valid,
        to - inner - (to.sum(axis=1) / count - square)[:, None],
        0.0,
    )
    away = np.maximum(length - 2 * to.sum(axis=1) / count + square, 0.0)
    share, level = shrinkage(centred, count, np.full(len(count), float(dimensions)))
    ridge = share * level
    flat = level <= 1e-9
    # (1 - s) X'X / m + ridge I, inverted by Woodbury.
    scaled = np.where(flat, 1.0, ridge * count)
    eye = np.eye(valid.shape[1])
    inside = (1 - share)[:, None, None] * centred + scaled[:, None, None] * eye
    solved = np.linalg.solve(inside, across[..., None])[..., 0]
    explained = (1 - share) * (across * solved).sum(axis=1)
    squared = np.maximum(away - explained, 0.0) / np.where(flat, 1.0, ridge)
    return np.where(flat, np.nan, np.sqrt(squared / dimensions))


def shrinkage(
    centred: NDArray[np.float64],
    count: NDArray[np.float64],
    dimensions: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the identity by Ledoit and Wolf (2004), and the mean variance, both (m,).

    Args:
        centred: (m, k, k), inner products of members around their mean, 0 where there is
            no member.
        count: (m,), members.
        dimensions: (m,), of the vectors.
    """
    own = np.einsum("mkk->mk", centred)
    level = own.sum(axis=1) / count / dimensions
    sample = (centred**2).sum(axis=(1, 2)) / count**2  # squared norm of the covariance
    apart = sample - dimensions * level**2
    scatter = ((own**2).sum(axis=1) / count - sample) / count
    share = np.ones(len(count))
    np.divide(scatter, apart, out=share, where=apart > 0)
    return np.clip(share, _LEAST_SHARE, 1.0), level
