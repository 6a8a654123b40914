"""How unlikely scores of patches are, told by scores of earlier dates alone (pure).

z: a score in robust standard deviations of its patch's own earlier scores. p-value: the
rank of z among the z of all patches of the window on earlier dates, the later half of
those since the first that has scores, so that it asks for no shape of their distribution.
Both take it that a patch is as unusual on most dates as on its earlier ones; a date that
makes all patches of a window unusual gives all of them a small p.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.calibrate import median_and_spread, robust_z

LEAST_PAST = 5
"""Earlier scores of a patch that z takes."""
LEAST_POOLED = 20
"""Earlier z that a p-value takes."""
_FLOOR = 0.3
"""Share of the window's median spread that is added to each patch's own."""
_LEAST_SCENE = 8
"""Patches of a scene that its median takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """Of (t, n) scores, t dates of n patches; NaN where it cannot be told."""

    z: NDArray[np.float32]
    p_value: NDArray[np.float32]
    """(t, n), above 0 and at most 1."""


def calibrated(scores: NDArray[np.float32]) -> Calibrated:
    """The z and p-values of (t, n) scores of ascending dates, NaN where there is none.

    Dates before the first with a score count for nothing.
    """
    t, n = scores.shape
    z = np.full((t, n), np.nan, np.float32)
    p = np.full((t, n), np.nan, np.float32)
    first = int(np.isfinite(scores).any(axis=1).argmax()) if t and n else 0
    for at in range(first, t):
        z[at] = _z(scores[at], scores[first:at].T)
        # The z of early dates, told by few scores, scatter more than those of late ones.
        recent = z[(first + at) // 2 : at]
        pooled = np.sort(recent[np.isfinite(recent)])
        if len(pooled) >= LEAST_POOLED:
            seen = np.isfinite(z[at])
            at_least = len(pooled) - np.searchsorted(pooled, z[at, seen], side="left")
            p[at, seen] = (1 + at_least) / (1 + len(pooled))
    return Calibrated(z, p)


def less_scene(
    scores: NDArray[np.float32], scenes: NDArray[np.str_]
) -> NDArray[np.float32]:
    """(t, n) scores less the median of the window's patches from the same scene that day.

    NaN where a scene gave fewer than 8 scores: half of so few may have changed.
    """
    out = np.full(scores.shape, np.nan, np.float32)
    for at, row in enumerate(scores):
        for scene in np.unique(scenes[at]):
            here = (scenes[at] == scene) & np.isfinite(row)
            if scene and here.sum() >= _LEAST_SCENE:
                out[at, here] = row[here] - np.median(row[here])
    return out


def _z(now: NDArray[np.float32], past: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) scores against their pasts (n, k)."""
    out = np.full(len(now), np.nan, np.float32)
    known = np.isfinite(past)
    able = np.flatnonzero(np.isfinite(now) & (known.sum(axis=1) >= LEAST_PAST))
    if len(able):
        _, spread = median_and_spread(past[able], known[able])
        floor = _FLOOR * float(np.median(spread))
        with np.errstate(invalid="ignore", divide="ignore"):
            z = robust_z(now[able], past[able], known[able], floor)
        out[able] = np.where(np.isfinite(z), z, np.nan)
    return out
