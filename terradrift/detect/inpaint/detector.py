"""The image detector: what the network did not expect, over what it thought usual."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from terradrift.detect.image.protocol import Anomaly
from terradrift.detect.inpaint.context import context
from terradrift.detect.inpaint.cube import Cube
from terradrift.detect.inpaint.sampling import prior_frames
from terradrift.detect.inpaint.scoring import SMOOTH_PX, levelled, smoothed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from terradrift.detect.inpaint.model import Fitted
    from terradrift.detect.inpaint.network import Encoder, Inpainter, Predicted
    from terradrift.stack import Stack

_OWN_HALO_PX = 24
"""Beyond so many pixels nothing enters the own encoder's prediction of a pixel."""
_FOREIGN_HALO_PX = 64
"""Of a foundation model, whose attention reaches far: what is beyond matters little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inpaint:
    """Predicts the last frame from those before it and scores what differs.

    The score is the root of the mean over bands of u' C^-1 u: u the residual over the
    predicted scale, C what the largest residuals of the training history had in common
    (`noise.Noise`). Gain, offset and spread of the whole scene are allowed for first, from
    the frame's own pixels, after the prediction.
    """

    frame: ClassVar[bool] = True
    """With `level` a pixel is judged beside all of its window."""

    fitted: Fitted = field(repr=False)
    smooth_px: int = SMOOTH_PX
    """Side of the square over which residuals are averaged; 1: none."""
    level: bool = True
    """Allow for what the whole scene did."""
    tile_px: int = 256
    """Side of what is predicted at once, without overlap."""
    overlap_px: int | None = None
    """Surroundings of a tile; in their inner half predictions are blended. None: twice the
    halo."""
    device: str = "cpu"
    encoder: Encoder | None = field(default=None, repr=False)
    trained_on: str = ""
    """First digits of the digest of the network, so that a repr says which it was."""
    trained_until: str = ""
    """Last day of the history; scores of days up to it may be of pixels that it was taught."""

    def __post_init__(self) -> None:
        if self.smooth_px < 1 or self.smooth_px % 2 == 0:
            raise ValueError(f"smooth_px must be odd, got {self.smooth_px}")
        if self.tile_px < 32 or (self.overlap_px or 0) < 0:
            raise ValueError(
                "tile_px must be at least 32 and overlap_px at least 0, got "
                f"{self.tile_px} and {self.overlap_px}"
            )

    @property
    def halo_px(self) -> int:
        """Pixels of surroundings that the score of a pixel depends on."""
        if self.encoder is None:
            reach, cell = _OWN_HALO_PX, 1 << (len(self.fitted.settings.widths) - 1)
        else:
            reach, cell = _FOREIGN_HALO_PX, self.encoder.strides[-1]
        # Whole cells, so that windows side by side are cut alike and agree.
        return -(-(reach + self.smooth_px // 2) // cell) * cell

    def detect(self, stack: Stack, /) -> Anomaly:
        """Judge the last frame; NaN where it, or all that came before, is not clear.

        Raises:
            ValueError: other bands, or another pixel size, than it was trained on.
        """
        mean, scale, known = self.predict(stack)
        rows, cols = stack.pixels.shape[-2:]
        centre, width = (a[:, None, None] for a in self.fitted.scaling)
        now = stack.pixels[-1]
        clear = np.isfinite(now).all(axis=0)
        seen = clear & known
        target = np.where(clear, self.fitted.scaling.scaled(now), 0).astype(np.float32)
        score = np.full((rows, cols), np.nan, np.float32)
        if seen.any():
            judged = torch.from_numpy(seen)[None]
            middle, wide, came = (
                torch.from_numpy(each)[None] for each in (mean, scale, target)
            )
            if self.level:
                middle, wide = levelled(middle, wide, came, judged)
            u = torch.where(judged[:, None], (came - middle) / wide, 0.0)
            even = smoothed(u, judged, self.smooth_px)[0].numpy()
            # Where nothing was ever seen is no mask, but the edge of the archive.
            found = self.fitted.noise.score(even, clear | ~known)
            score = np.where(seen, found, np.float32(np.nan))
        nothing = np.float32(np.nan)
        expected = np.where(known, mean * width + centre, nothing).astype(np.float32)
        usual = np.where(known, scale * width, nothing).astype(np.float32)
        return Anomaly(score.astype(np.float32), expected, usual)

    @torch.no_grad()
    def predict(
        self, stack: Stack
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Mean and scale (band, y, x) over the normalisation, and where there are any.

        No pixel of the last frame is looked at.
        """
        self._check(stack)
        _, bands, rows, cols = stack.pixels.shape
        past = Cube.of(stack.days[:-1], stack.pixels[:-1])
        order = prior_frames(past, stack.days[-1], self.fitted.settings)
        shape = (bands, rows, cols)
        if not len(order):
            return (
                np.zeros(shape, np.float32),
                np.ones(shape, np.float32),
                np.zeros((rows, cols), bool),
            )
        device = torch.device(self.device)
        net = self.fitted.network(self.encoder, device)
        undo = [torch.from_numpy(a).to(device) for a in self.fitted.scaling]
        total = torch.zeros(2, *shape)
        weights = torch.zeros(rows, cols)
        chosen = past.at(order)
        known = np.asarray(np.isfinite(chosen.pixels).all(axis=1).any(axis=0))
        for y, x, weight in self._tiles(rows, cols, net):
            given = context(chosen.part(y, x), stack.days[-1], self.fitted.scaling)
            given = given.to(device)
            with torch.autocast(
                device.type, torch.bfloat16, enabled=device.type == "cuda"
            ):
                found: Predicted = net(given, *undo)
            both = torch.cat([found.mean, found.log_scale]).cpu()
            total[:, :, y, x] += weight * both
            weights[y, x] += weight
        total /= weights
        return total[0].numpy(), total[1].exp().numpy(), known

    def _tiles(
        self, rows: int, cols: int, net: Inpainter
    ) -> Iterator[tuple[slice, slice, Tensor]]:
        """Windows with weights that fall to their edges; corners on the coarsest cell."""
        coarse = net.strides[-1]
        side = -(-self.tile_px // coarse) * coarse
        over = 2 * self.halo_px if self.overlap_px is None else self.overlap_px
        over = -(-over // coarse) * coarse
        for y, high in _spans(rows, side, over):
            for x, wide in _spans(cols, side, over):
                yield y, x, high[:, None] * wide[None, :]

    def _check(self, stack: Stack) -> None:
        if stack.bands != self.fitted.bands:
            raise ValueError(
                f"inpaint was trained on bands {', '.join(self.fitted.bands)}, got "
                f"{', '.join(stack.bands)}; run terradrift train inpaint again"
            )
        if self.fitted.gsd and stack.gsd != self.fitted.gsd:
            raise ValueError(
                f"inpaint was trained at {self.fitted.gsd:g} m per pixel, got "
                f"{stack.gsd:g}; run terradrift train inpaint again"
            )


def _spans(length: int, side: int, over: int) -> Iterator[tuple[slice, Tensor]]:
    """Spans of `side` with `over` on both sides; weights ramp in the middle of the overlap.

    The outer half of the overlap is too near the edge to be believed and has no weight.
    """
    for start in range(0, length, side):
        low, high = max(0, start - over), min(length, start + side + over)
        at = torch.arange(low, high) + 0.5
        ramp = max(1.0, over / 2)
        rise = (at - (start - over / 2)) / ramp if start else torch.ones_like(at)
        end = start + side
        fall = ((end + over / 2) - at) / ramp if end < length else torch.ones_like(at)
        yield slice(low, high), torch.minimum(rise, fall).clamp(0, 1)
