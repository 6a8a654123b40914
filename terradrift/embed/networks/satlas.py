"""SatlasPretrain: Swin-v2 on one or several dates, with or without a feature pyramid."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch

from terradrift.embed.network import Network
from terradrift.embed.networks.swin import STRIDES, Swin
from terradrift.embed.vision import library

if TYPE_CHECKING:
    from torch import Tensor

    from terradrift.embed.network import Input, Output

TCI_WHITE = 0.3558
"""Reflectance that ESA's true-colour image shows as white, about."""
DN_WHITE = 8160.0
"""Digital number that the training data hold as 255: theirs is DN / 32."""
_COLOURS = 3


class Satlas(Network):
    """`satlaspretrain_models` for Sentinel-2: red, green and blue, then other bands."""

    def __init__(
        self,
        bands: int,
        *,
        output: Output,
        stride: int,
        series: bool,
        width: int,
        depths: tuple[int, ...],
        heads: tuple[int, ...],
        pyramid: int | None,
    ) -> None:
        """Random weights.

        `stride` is the pixels per token side where `output` is tokens; a pooled vector is
        the mean of the coarsest map. `series` takes several dates; `pyramid` is the width
        of the feature pyramid's maps, None without.
        """
        super().__init__()
        self.output = output
        self.series = series
        self.backbone = Swin(bands, width=width, depths=depths, heads=heads)
        self.level = len(STRIDES) - 1 if output == "pooled" else STRIDES.index(stride)
        self.fpn: torch.nn.Module | None = None
        if pyramid is not None:
            widths = [width * 2**stage for stage in range(len(STRIDES))]
            self.fpn = library("torchvision.ops").FeaturePyramidNetwork(widths, pyramid)

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """(n, band, y, x), or for a series (n, t, band, y, x) and which dates are there."""
        if not self.series:
            return (scaled(given.pixels[:, -1]),)
        there = given.clear.flatten(2).any(dim=2)
        # A chip without any clear date still needs numbers; nobody reads its vector.
        there[:, -1] |= ~there.any(dim=1)
        return scaled(given.pixels), there

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, d) or (n, y, x, d); the maximum over the dates that are there."""
        x, *there = prepared
        stages = self.level + 1 if self.fpn is None else len(STRIDES)
        maps = self.backbone(x.flatten(0, 1) if there else x, stages)
        if there:
            maps = [_largest(found, there[0]) for found in maps]
        if self.fpn is not None:
            named = OrderedDict((str(stage), found) for stage, found in enumerate(maps))
            maps = list(self.fpn(named).values())
        found: Tensor = maps[self.level]
        if self.output == "pooled":
            return found.mean(dim=(2, 3))
        return found.permute(0, 2, 3, 1)


def scaled(reflectance: Tensor) -> Tensor:
    """0..1 as in training, of (..., band, y, x) reflectance whose first bands are colours.

    The colours stand for the 8-bit true-colour product, so they are rounded to its steps.
    ESA shows no valid pixel as 0 but as 1; that last step is left out, since what is known
    of the stretch is no finer. The other bands stay unrounded, as in the official reader.
    """
    colours = reflectance[..., :_COLOURS, :, :]
    others = reflectance[..., _COLOURS:, :, :]
    tci = (colours / TCI_WHITE).clamp(0, 1).mul(255).round().div(255)
    return torch.cat([tci, (others * 1e4 / DN_WHITE).clamp(0, 1)], dim=-3)


def _largest(found: Tensor, there: Tensor) -> Tensor:
    """(n, d, y, x) of (n * t, d, y, x) and (n, t): element-wise, of the dates there."""
    dates = found.reshape(*there.shape, *found.shape[1:])
    absent = ~there[:, :, None, None, None]
    return torch.where(absent, float("-inf"), dates).amax(dim=1)
