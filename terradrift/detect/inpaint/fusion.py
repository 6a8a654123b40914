"""Frames into one map: attention over time whose weights know when each frame was seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from terradrift.detect.inpaint.context import YEAR_DAYS

_TIMES = 7
"""Numbers that `times` tells of a frame."""


def times(gap: Tensor, season: Tensor, clear: Tensor) -> Tensor:
    """(n, t, 7) what the weight of a frame depends on besides its own look.

    `gap` and `season` (n, t) in days, `clear` (n, t) share of the frame.
    """
    turn = 2 * torch.pi * season / YEAR_DAYS
    return torch.stack(
        [
            torch.log1p(gap) / 6,
            torch.exp(-gap / 10),
            torch.exp(-gap / 40),
            (gap >= YEAR_DAYS / 2).to(gap.dtype),
            torch.cos(turn),
            torch.exp(-season / 20),
            clear,
        ],
        dim=-1,
    )


class Fusion(nn.Module):
    """Masked attention over time, one weight per head, frame and pixel.

    The logit of a frame is a function of its time gap, season gap and clear share, plus
    what its own features say of its quality there (haze, a missed cloud). Frames are
    weighted, never the largest taken, so a frame's time counts and its place in the stack
    does not; where a frame is not clear its weight is exactly 0.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(
                f"channels must be a multiple of heads, got {channels} and {heads}"
            )
        self.heads = heads
        self.of_time = nn.Sequential(
            nn.Linear(_TIMES, 16), nn.GELU(), nn.Linear(16, heads)
        )
        self.of_look = nn.Conv2d(channels, heads, 1)
        nn.init.zeros_(self.of_look.weight)
        nn.init.zeros_(self.of_look.bias)  # type: ignore[arg-type] # made with bias

    def forward(self, maps: Tensor, valid: Tensor, told: Tensor) -> Tensor:
        """(n, d, y, x) of (n, t, d, y, x), validity (n, t, y, x) 0..1 and `times`.

        Zero where no frame is valid.
        """
        n, t, d, y, x = maps.shape
        look = self.of_look(maps.flatten(0, 1)).reshape(n, t, self.heads, y, x)
        logit = look.float() + self.of_time(told).float()[..., None, None]
        there = (valid > 0)[:, :, None]
        # A partly clear cell counts in part.
        logit = logit + torch.log(valid.clamp_min(1e-6).float())[:, :, None]
        logit = torch.where(there, logit, -torch.inf)
        top = logit.amax(dim=1, keepdim=True)
        power = torch.exp(logit - torch.where(torch.isfinite(top), top, 0.0))
        weight = power / power.sum(dim=1, keepdim=True).clamp_min(1e-12)
        grouped = maps.reshape(n, t, self.heads, d // self.heads, y, x)
        fused = (weight[:, :, :, None].to(maps.dtype) * grouped).sum(dim=1)
        return fused.reshape(n, d, y, x)
