"""Drift from the own past, calibrated by the past itself (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import calibrate, drift
from terradrift.detect.settings import Settings

_GRAM_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """How `n` patches compare with their own past on `t` dates."""

    clear: NDArray[np.bool_]
    """(n, t), which observations were judged."""
    drift: NDArray[np.float32]
    """(n, t), cosine distance, NaN without a past."""
    count: NDArray[np.int32]
    """(n, t), reference members."""
    kind: NDArray[np.int8]
    """(n, t), which reference: `reference.NONE`, `SEASON`, `RECENT`."""
    z: NDArray[np.float32]
    """(n, t), drift in robust standard deviations of left-out scores; NaN: too few."""
    p_value: NDArray[np.float32]
    """(n, t), share of left-out scores as large."""


def own(
    vectors: NDArray[np.floating],
    clear: NDArray[np.bool_],
    days: NDArray[np.datetime64],
    settings: Settings,
) -> Own:
    """Judge (n, t, d) vectors against their own past."""
    n, t = clear.shape
    size = max(1, _GRAM_BYTES // max(4 * t * max(t, vectors.shape[2]), 1))
    parts = [
        _own(vectors[k : k + size], clear[k : k + size], days, settings)
        for k in range(0, max(n, 1), size)
    ]
    return Own(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("clear", "drift", "count", "kind", "z", "p_value")
        )
    )


def _own(
    vectors: NDArray[np.floating],
    clear: NDArray[np.bool_],
    days: NDArray[np.datetime64],
    settings: Settings,
) -> Own:
    unit = drift.unit(np.where(clear[..., None], vectors, 0))
    cosines = unit @ unit.transpose(0, 2, 1)
    found = drift.score(cosines, days, clear, settings)
    flat = found.left_out.reshape(clear.size, -1)
    valid = np.isfinite(flat)
    known = np.where(valid, flat, np.float32(0))
    value = found.drift.reshape(-1)
    floor = settings.floor * calibrate.masked_median(known, valid) + 1e-6
    z = calibrate.robust_z(value, known, valid, floor)
    p = calibrate.empirical_p(value, known, valid)
    few = valid.sum(axis=1) < settings.min_reference
    z[few] = p[few] = np.nan
    return Own(
        clear,
        found.drift,
        found.count,
        found.kind,
        z.reshape(clear.shape).astype(np.float32),
        p.reshape(clear.shape).astype(np.float32),
    )
