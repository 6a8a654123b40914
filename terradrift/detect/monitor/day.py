"""One date: residuals against analogues, in units of what the pool shows that day (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.calibrate import MAD_TO_SIGMA
from terradrift.detect.monitor.beside import Chosen, expected
from terradrift.detect.monitor.fixed import product
from terradrift.detect.monitor.rules import Rules

_FLOOR = np.float32(0.3)
"""Added to the spread of the placebo, as a share of its median."""

JUDGED, UNCLEAR, FEW_DATES, FEW_ANALOGUES, FEW_PLACEBO = range(5)
REASONS = (
    "",
    "not clear enough",
    "too few clear dates before the start",
    "too few analogues are clear",
    "too few patches are clear that day",
)
"""Why an observation is not judged, by code; empty where it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What the reference period taught about `n` patches."""

    chosen: Chosen
    bias: NDArray[np.float32]
    """(n, r), how a patch usually differs from its analogues."""
    scale: NDArray[np.float32]
    """(n,), by how much; NaN where it was seen on too few dates."""

    def take(self, rows: NDArray[np.int64] | slice) -> "Learned":
        """The same of some patches."""
        return Learned(
            Chosen(self.chosen.index[rows], self.chosen.distance[rows]),
            self.bias[rows],
            self.scale[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """How `m` patches differ on one date from what is expected of them."""

    vectors: NDArray[np.float32]
    """(m, r), whitened; zeros where they cannot be told."""
    used: NDArray[np.int32]
    """(m, k), the analogues, nearest first, -1 beyond them."""
    reason: NDArray[np.int8]
    """(m,), position in `REASONS`."""

    @property
    def length(self) -> NDArray[np.float32]:
        """Of each vector, (m,)."""
        found: NDArray[np.float32] = np.sqrt((self.vectors**2).sum(axis=1))
        return found


def residuals(
    learned: Learned,
    vectors: NDArray[np.float32],
    clear: NDArray[np.bool_],
    *,
    pool: NDArray[np.float32],
    pool_clear: NDArray[np.bool_],
    whiten: NDArray[np.float32],
    rules: Rules,
) -> Residuals:
    """Compare reduced vectors (m, r) of one date with the pool's (p, r) of the same date."""
    chosen = learned.chosen
    found = expected(chosen.index, chosen.distance, pool, pool_clear, rules)
    reason = np.full(len(clear), JUDGED, np.int8)
    reason[found.count < rules.min_controls] = FEW_ANALOGUES
    reason[~np.isfinite(learned.scale)] = FEW_DATES
    reason[~clear] = UNCLEAR
    known = (reason == JUDGED)[:, None]
    scale = np.where(known[:, 0], learned.scale, np.float32(1))
    gap = (vectors - found.vectors - learned.bias) / scale[:, None]
    gap = np.where(known, gap, np.float32(0))
    return Residuals(product(gap, whiten), found.used, reason)


@dataclass(frozen=True, slots=True, eq=False)
class Placebo:
    """How long the residuals of the pool are on one date."""

    median: float
    spread: float
    """Robust standard deviation and floor, in medians."""
    lengths: NDArray[np.float32]
    """(q,), in medians, ascending."""

    @classmethod
    def of(cls, pool: Residuals, rules: Rules) -> "Placebo | None":
        """None where too few of the pool can be judged to say anything of the date."""
        lengths = pool.length[pool.reason == JUDGED]
        if len(lengths) < rules.min_controls:
            return None
        middle = float(np.median(lengths))
        relative = np.sort(lengths / np.float32(max(middle, 1e-12)))
        away = float(np.median(np.abs(relative - np.float32(1))))
        return cls(middle, MAD_TO_SIGMA * away + float(_FLOOR), relative)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """`m` patches on one date; NaN and zeros where `reason` says why not."""

    vectors: NDArray[np.float32]
    """(m, r), residuals in medians of the date, tempered."""
    z: NDArray[np.float32]
    """(m,), robust standard deviations above the pool's median."""
    p_value: NDArray[np.float32]
    """(m,), share of the pool's residuals at least as long, the patch's own not counted."""
    reason: NDArray[np.int8]


def judge(
    found: Residuals, placebo: Placebo | None, own: NDArray[np.int64], rules: Rules
) -> Judged:
    """Set residuals beside those of the pool; `own` (m,) is the place in the pool, or -1."""
    unknown = np.full(len(own), np.nan, np.float32)
    if placebo is None:
        reason = np.where(found.reason == JUDGED, FEW_PLACEBO, found.reason)
        nothing = np.zeros_like(found.vectors)
        return Judged(nothing, unknown, unknown, reason.astype(np.int8))
    known = found.reason == JUDGED
    middle = np.float32(max(placebo.median, 1e-12))
    length = found.length / middle
    z = (length - np.float32(1)) / np.float32(placebo.spread)
    above = len(placebo.lengths) - np.searchsorted(placebo.lengths, length)
    among = (own >= 0).astype(np.int64)
    others = len(placebo.lengths) - among
    p_value = (1.0 + above - among) / (1.0 + others)
    shorter = np.minimum(
        np.float32(1), np.float32(rules.temper) / np.maximum(length, np.float32(1e-12))
    )
    vectors = found.vectors / middle * shorter[:, None]
    return Judged(
        np.where(known[:, None], vectors, np.float32(0)),
        np.where(known, z, np.float32(np.nan)).astype(np.float32),
        np.where(known, p_value, np.nan).astype(np.float32),
        found.reason,
    )
