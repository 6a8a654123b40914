"""Training samples out of a history: a window, a day, and clear frames before it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from terradrift.detect.inpaint.context import Context, chosen, context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from terradrift.detect.inpaint.cube import Cube, Scaling
    from terradrift.detect.inpaint.settings import Settings

_TRIES = 4
_MOST_GAP = 3


class Sample(NamedTuple):
    """A batch: what is known before, and what came."""

    given: Context
    target: Tensor
    """(n, band, y, x), over the normalisation, 0 where not clear."""
    clear: Tensor
    """(n, y, x), bool, of the target."""


def prior_frames(
    cube: Cube, day: np.datetime64, settings: Settings
) -> NDArray[np.intp]:
    """Frames before `day`, those to encode first."""
    near = chosen(cube, day, settings.context, settings.least_clear)[::-1]
    wide = chosen(cube, day, settings.history, settings.least_clear)[::-1]
    return np.concatenate([near, wide[~np.isin(wide, near)]])


def targets(
    cube: Cube, days: NDArray[np.datetime64] | None, settings: Settings
) -> NDArray[np.intp]:
    """Frames that are clear enough to be predicted, with one before; `days`: of those only."""
    before = np.concatenate([[0], np.cumsum(cube.clear >= settings.least_clear)[:-1]])
    able = (cube.clear >= settings.target_clear) & (before > 0)
    return np.flatnonzero(able if days is None else able & np.isin(cube.days, days))


def draw(
    cubes: Sequence[Cube],
    pairs: Sequence[tuple[int, int]],
    scaling: Scaling,
    settings: Settings,
    step: int,
) -> Sample:
    """The batch of `step`; the same arguments give the same numbers.

    Targets are drawn of `pairs` alone: a cube and a frame of it.
    """
    parts = []
    for item in range(settings.batch):
        random = np.random.default_rng([settings.seed, step, item])
        for _ in range(_TRIES):
            at, index = pairs[int(random.integers(len(pairs)))]
            part = _one(cubes[at], index, scaling, settings, random)
            if part.clear.any() and part.given.valid.any():
                break
        parts.append(part)
    return joined(parts)


def whole(cube: Cube, index: int, scaling: Scaling, settings: Settings) -> Sample:
    """Frame `index` of a window and what came before it, as it is."""
    order = prior_frames(cube, cube.days[index], settings)
    return _sample(cube, order, index, scaling)


def joined(parts: Sequence[Sample]) -> Sample:
    """One batch; windows with fewer frames get frames that are nowhere clear."""
    most = max(part.given.gap.shape[1] for part in parts)

    def grown(tensor: Tensor) -> Tensor:
        lacking = most - tensor.shape[1]
        pad = (0, 0) * (tensor.ndim - 2) + (0, lacking)
        return functional.pad(tensor, pad)

    given = Context(
        *(
            torch.cat(
                [
                    getattr(part.given, each.name)
                    if each.name == "when"
                    else grown(getattr(part.given, each.name))
                    for part in parts
                ]
            )
            for each in fields(Context)
        )
    )
    return Sample(
        given,
        torch.cat([part.target for part in parts]),
        torch.cat([part.clear for part in parts]),
    )


def _one(
    cube: Cube,
    index: int,
    scaling: Scaling,
    settings: Settings,
    random: np.random.Generator,
) -> Sample:
    """A window of `crop_px`, turned and disturbed."""
    side = settings.crop_px
    _, _, rows, cols = cube.pixels.shape
    top, left = (int(random.integers(max(1, n - side + 1))) for n in (rows, cols))
    cut = cube.part(slice(top, top + side), slice(left, left + side))
    clear = cube.clear
    kept = np.where(random.random(len(clear)) < settings.drop, 0, clear)
    if random.random() < settings.gap:
        latest = np.flatnonzero(clear[:index] >= settings.least_clear)
        gone = latest[len(latest) - int(random.integers(1, _MOST_GAP + 1)) :]
        kept[gone] = 0
    order = prior_frames(replace(cut, clear=kept), cube.days[index], settings)
    if not len(order):
        order = prior_frames(cut, cube.days[index], settings)
    found = _sample(cut, order, index, scaling)
    found = _disturbed(found, settings, random)
    grow = (0, side - cut.pixels.shape[3], 0, side - cut.pixels.shape[2])
    turns, mirrored = int(random.integers(4)), bool(random.integers(2))

    def turned(tensor: Tensor) -> Tensor:
        grown = functional.pad(tensor, grow)
        flipped = grown.flip(-1) if mirrored else grown
        return torch.rot90(flipped, turns, (-2, -1))

    given = found.given
    return Sample(
        replace(given, frames=turned(given.frames), valid=turned(given.valid)),
        turned(found.target),
        turned(found.clear),
    )


def _sample(
    cube: Cube, order: NDArray[np.intp], index: int, scaling: Scaling
) -> Sample:
    day = cube.days[index]
    given = context(cube.at(order), day, scaling)
    now = context(cube.at(np.array([index])), day, scaling)
    return Sample(given, now.frames[:, 0], now.valid[:, 0] > 0)


def _disturbed(
    found: Sample, settings: Settings, random: np.random.Generator
) -> Sample:
    """One frame of the context with a gain and an offset of its own, band by band."""
    frames = found.given.frames
    _, t, bands = frames.shape[:3]
    if not t:
        return found
    one = int(random.integers(t))
    gain = 1 + settings.gain * random.standard_normal((bands, 1, 1))
    offset = settings.offset * random.standard_normal((bands, 1, 1))
    # Most of what moves a whole frame moves its bands together.
    gain = (gain + 1 + settings.gain * random.standard_normal()) / 2
    offset = (offset + settings.offset * random.standard_normal()) / 2
    moved = frames[0, one] * torch.from_numpy(gain) + torch.from_numpy(offset)
    frames[0, one] = torch.where(found.given.valid[0, one] > 0, moved.float(), 0.0)
    return found
