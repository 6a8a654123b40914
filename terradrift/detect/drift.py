"""Drift: cosine distance of an observation to its own reference (pure).

Everything follows from the cosines between a patch's own observations, so turning the
embedding space changes nothing. Method: METHODS 4.4, with centroid, medoid and nearest-past
variants and leave-one-out scores of the reference for calibration.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import reference
from terradrift.detect.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class OwnDrift:
    """Drift of `n` patches on `t` dates, and what it is calibrated by."""

    drift: NDArray[np.float32]
    """(n, t), cosine distance 0..2, NaN where there is no past."""
    left_out: NDArray[np.float32]
    """(n, t, r), the same score of each reference member against the others, NaN padded."""
    count: NDArray[np.int32]
    """(n, t), reference members."""
    kind: NDArray[np.int8]
    """(n, t), `reference.NONE`, `SEASON` or `RECENT`."""


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Vectors (..., d) scaled to length 1; zero vectors stay zero."""
    wide = vectors.astype(np.float32)
    length = np.sqrt(np.einsum("...d,...d->...", wide, wide))
    wide /= np.where(length > 0, length, 1.0)[..., None]
    return wide


def score(
    cosines: NDArray[np.float32],
    days: NDArray[np.datetime64],
    clear: NDArray[np.bool_],
    settings: Settings,
) -> OwnDrift:
    """Judge every clear date against its reference.

    `cosines` is (n, t, t) between the patch's own observations, `days` (t,), `clear` (n, t).
    """
    n, t = clear.shape
    most = settings.max_reference
    drift = np.full((n, t), np.nan, np.float32)
    left_out = np.full((n, t, most), np.nan, np.float32)
    count = np.zeros((n, t), np.int32)
    kind = np.zeros((n, t), np.int8)
    for at in range(t):
        rows = np.flatnonzero(clear[:, at])
        chosen, kinds = reference.members(
            days,
            clear[rows],
            at,
            window_days=settings.window_days,
            guard_days=settings.guard_days,
            least=settings.min_reference,
            most=most,
        )
        valid = chosen >= 0
        to = np.take_along_axis(cosines[rows, at], np.maximum(chosen, 0), 1)
        among = cosines[rows[:, None, None], chosen[:, :, None], chosen[:, None, :]]
        measure = _MEASURES[settings.variant]
        drift[rows, at], left_out[rows, at] = measure(to, among, valid)
        count[rows, at] = valid.sum(axis=1)
        kind[rows, at] = kinds
    return OwnDrift(drift, left_out, count, kind)


def _centroid(
    to: NDArray[np.float32], among: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Distance to the mean direction of the members, and of each to that of the others."""
    pairs = np.where(valid[:, :, None] & valid[:, None, :], among, 0.0)
    inner = pairs.sum(axis=2)  # of each member with the sum of all
    length2 = np.maximum(inner.sum(axis=1), 1e-12)
    cosine = np.where(valid, to, 0.0).sum(axis=1) / np.sqrt(length2)
    own = np.einsum("nii->ni", pairs)
    rest2 = np.maximum(length2[:, None] - 2 * inner + own, 1e-12)
    rest = (inner - own) / np.sqrt(rest2)
    return _distances(cosine, rest, valid)


def _medoid(
    to: NDArray[np.float32], among: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Distance to the member nearest to the others, and of each to the medoid of the rest."""
    n, r = valid.shape
    pairs = np.where(valid[:, :, None] & valid[:, None, :], among, 0.0)
    closeness = np.where(valid, pairs.sum(axis=2), -np.inf)
    best = np.argmax(closeness, axis=1)
    cosine = to[np.arange(n), best]
    without = np.where(
        valid[:, None, :] & ~np.eye(r, dtype=bool),
        closeness[:, None, :] - pairs,
        -np.inf,
    )  # closeness of j when i is left out
    rest = np.take_along_axis(pairs, np.argmax(without, axis=2)[..., None], 2)[..., 0]
    return _distances(cosine, rest, valid)


def _nearest(
    to: NDArray[np.float32], among: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Distance to the nearest member, and of each member to the nearest other."""
    r = valid.shape[1]
    cosine = np.where(valid, to, -np.inf).max(axis=1)
    others = valid[:, None, :] & ~np.eye(r, dtype=bool)
    rest = np.where(others, among, -np.inf).max(axis=2)
    return _distances(cosine, rest, valid)


def _distances(
    cosine: NDArray[np.floating],
    rest: NDArray[np.floating],
    valid: NDArray[np.bool_],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """1 - cosine, NaN without members, and for left-out scores with fewer than two."""
    count = valid.sum(axis=1)
    drift = np.where(count > 0, np.clip(1.0 - cosine, 0.0, 2.0), np.nan)
    enough = valid & (count >= 2)[:, None]
    return drift, np.where(enough, np.clip(1.0 - rest, 0.0, 2.0), np.nan)


_MEASURES = {"centroid": _centroid, "medoid": _medoid, "nearest": _nearest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The detector `drift`: cosine distance of each observation to its own past."""

    variant: str = "centroid"
    window_days: int = 45
    guard_days: int = 10
    min_reference: int = 4
    max_reference: int = 12

    def __post_init__(self) -> None:
        self._settings()

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
        """Score (n, t, d) vectors: (n, t), NaN where not clear or without a past."""
        if vectors.shape[:2] != clear.shape or len(days) != clear.shape[1]:
            raise ValueError(
                "expected days (t,), vectors (n, t, d) and clear (n, t), got "
                f"{days.shape}, {vectors.shape} and {clear.shape}"
            )
        turned = unit(np.where(clear[..., None], vectors, 0))
        cosines = turned @ turned.transpose(0, 2, 1)
        return score(cosines, days, clear, self._settings()).drift
