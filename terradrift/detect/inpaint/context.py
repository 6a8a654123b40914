"""What earlier frames say without any learning: which of them to look at, and their summary."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.detect.inpaint.cube import Cube, Scaling

YEAR_DAYS = 365.25
_RECENT_DAYS = 30.0
"""Time in which the weight of a frame falls to 1 / e."""
_SEASON_DAYS = 20.0
"""Width of the season in which a frame of an earlier year weighs as much as a recent one."""
_OLD_DAYS = 180.0
"""From here on a frame is of another season cycle."""
_OLD_SHARE = 4
"""One frame in so many may be of an earlier year."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """`n` windows with `t` earlier frames each, in reflectance over the normalisation."""

    frames: Tensor
    """(n, t, band, y, x), finite; 0 where not clear."""
    valid: Tensor
    """(n, t, y, x), 1 where clear in all bands, otherwise 0."""
    gap: Tensor
    """(n, t), days from the frame to the target."""
    season: Tensor
    """(n, t), days between the two on the calendar without its year, 0..183."""
    clear: Tensor
    """(n, t), share of the whole frame that is clear."""
    when: Tensor
    """(n, 2), sine and cosine of the target's day of year."""

    def to(self, device: torch.device) -> Context:
        """The same on `device`."""
        return Context(*(getattr(self, each.name).to(device) for each in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What is expected without learning."""

    usual: Tensor
    """(n, band, y, x), median of the earlier frames, weighted by time and season; 0 if none."""
    last: Tensor
    """(n, band, y, x), the latest clear value; 0 if none."""
    spread: Tensor
    """(n, band, y, x), weighted mean distance from `usual`."""
    known: Tensor
    """(n, y, x), bool: whether there is any clear value."""
    gap: Tensor
    """(n, y, x), days since the latest clear value; 0 if none."""


def season_gap(days: NDArray[np.datetime64], day: np.datetime64) -> NDArray[np.float32]:
    """Days, 0..183, between `days` and `day` on the calendar without its year."""
    apart = (day - days).astype("timedelta64[D]").astype(np.float64) % YEAR_DAYS
    return np.minimum(apart, YEAR_DAYS - apart).astype(np.float32)


def chosen(
    cube: Cube, day: np.datetime64, most: int, least_clear: float
) -> NDArray[np.intp]:
    """Indices of up to `most` frames before `day` to predict it from, ascending.

    Frames of which a share of `least_clear` or more is clear: the latest, and for one in
    four of them those of earlier years nearest in season.
    """
    days, clear = cube.days, cube.clear
    usable = np.flatnonzero((days < day) & (clear >= least_clear) & (clear > 0))
    if len(usable) <= most:
        return usable
    gap = (day - days[usable]).astype("timedelta64[D]").astype(int)
    latest = usable[-most:]
    old = usable[(gap >= _OLD_DAYS) & (usable < latest[0])]
    near = old[np.argsort(season_gap(days[old], day), kind="stable")]
    near = near[season_gap(days[near], day) <= 2 * _SEASON_DAYS][: most // _OLD_SHARE]
    return np.sort(np.concatenate([near, usable[len(usable) - most + len(near) :]]))


def context(cube: Cube, day: np.datetime64, scaling: Scaling) -> Context:
    """One window (n = 1) with the frames of `cube`, as they lie before `day`."""
    valid = np.asarray(np.isfinite(cube.pixels).all(axis=1))
    scaled = np.where(valid[:, None], scaling.scaled(cube.pixels), 0)
    gap = (day - cube.days).astype("timedelta64[D]").astype(np.float32)
    return Context(
        frames=torch.from_numpy(scaled.astype(np.float32))[None],
        valid=torch.from_numpy(valid.astype(np.float32))[None],
        gap=torch.from_numpy(gap)[None],
        season=torch.from_numpy(season_gap(cube.days, day))[None],
        clear=torch.from_numpy(cube.clear.astype(np.float32))[None],
        when=torch.tensor([angle(day)], dtype=torch.float32),
    )


def angle(day: np.datetime64) -> tuple[float, float]:
    """Sine and cosine of the day of year."""
    start = day.astype("datetime64[Y]").astype("datetime64[D]")
    turn = 2 * np.pi * float((day - start).astype("timedelta64[D]").astype(int))
    return float(np.sin(turn / YEAR_DAYS)), float(np.cos(turn / YEAR_DAYS))


def summary(given: Context) -> Summary:
    """Weighted median, latest value and spread of every pixel's clear past.

    The order of the frames does not matter.
    """
    far = torch.exp(-given.gap / _RECENT_DAYS)
    again = torch.exp(-((given.season / _SEASON_DAYS) ** 2)) * (given.gap >= _OLD_DAYS)
    # A floor keeps a lone old frame from being lost to rounding.
    weight = (far + 0.5 * again).clamp_min(1e-4)[:, :, None, None] * given.valid
    known = given.valid.amax(dim=1) > 0
    usual = _weighted_median(given.frames, weight, given.valid)
    total = weight.sum(dim=1).clamp_min(1e-12)[:, None]
    away = (given.frames - usual[:, None]).abs() * weight[:, :, None]
    age = torch.where(given.valid > 0, given.gap[:, :, None, None], torch.inf)
    gap, latest = age.min(dim=1)
    index = latest[:, None, None].expand(-1, 1, given.frames.shape[2], -1, -1)
    last = given.frames.gather(1, index)[:, 0]
    some = known[:, None]
    return Summary(
        usual=torch.where(some, usual, 0.0),
        last=torch.where(some, last, 0.0),
        spread=away.sum(dim=1) / total,
        known=known,
        gap=torch.where(known, gap, 0.0),
    )


def _weighted_median(frames: Tensor, weight: Tensor, valid: Tensor) -> Tensor:
    """(n, band, y, x), lower weighted median over t; frames not valid have no weight."""
    there = valid[:, :, None] > 0
    ordered, order = torch.where(there, frames, torch.inf).sort(dim=1)
    spread = weight[:, :, None].expand_as(frames).gather(1, order)
    reached = spread.cumsum(dim=1) >= 0.5 * spread.sum(dim=1, keepdim=True)
    found = ordered.gather(1, reached.int().argmax(dim=1, keepdim=True))[:, 0]
    return torch.where(torch.isfinite(found), found, 0.0)
