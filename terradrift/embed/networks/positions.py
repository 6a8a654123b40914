"""Position tables of vision transformers on other grids than the trained one."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpolation:
    """How the official code resizes a table; always bicubic, always in float32."""

    offset: float = 0.0
    """Tokens added to the wanted side before it is divided by the trained side, after which
    the quotient is the scale of the interpolation: 0.1 in DINO and in DINOv2 without
    registers. Where it is 0 the scale comes from the two sides."""
    antialias: bool = False


DINO = Interpolation(offset=0.1)
"""Caron et al. 2021, https://github.com/facebookresearch/dino, and DINOv2 without registers."""
DINOV2_REGISTERS = Interpolation(antialias=True)
"""Darcet et al. 2024, https://github.com/facebookresearch/dinov2, models with registers."""


def resized(table: Tensor, grid: tuple[int, int], how: Interpolation) -> Tensor:
    """The table (1, 1 + side * side, d), class token first, as (1, 1 + y * x, d).

    `grid` is (y, x) in tokens. The class token keeps its row; the trained grid is
    returned as it is.
    """
    side = isqrt(table.shape[1] - 1)
    if grid == (side, side):
        return table
    patches = table[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if how.offset:
        scale = [(wanted + how.offset) / side for wanted in grid]
        patches = functional.interpolate(
            patches, scale_factor=scale, mode="bicubic", antialias=how.antialias
        )
    else:
        patches = functional.interpolate(
            patches, size=grid, mode="bicubic", antialias=how.antialias
        )
    rows = patches.permute(0, 2, 3, 1).flatten(1, 2)
    return torch.cat([table[:, :1].float(), rows], dim=1)
