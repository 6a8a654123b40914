"""Where AnySat's tokens lie: absolute codes, and classes of distance between them (pure)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

RATIO = 1.9
"""Distances up to this have a class each; further ones share classes."""
FAR = 2 * RATIO
"""Classes of distance to one side; as many to the other, which distances never use."""
FARTHEST = 8 * RATIO
"""Distance from which all are in one class."""
CLASSES = 2 * int(FAR) + 1 + 1
"""Of distance, and one for whatever has to do with the class token."""


def code(side: int, dim: int, step: float, device: torch.device) -> Tensor:
    """(side ** 2, dim) sine and cosine of x, then of y, in row-major order.

    Neighbours are `step` apart; the dim / 4 frequencies fall from 1 towards 1e-4.
    """
    quarter = dim // 4
    frequency = 1.0 / 10000 ** (torch.arange(quarter, device=device) / quarter)
    line = step * torch.arange(side, device=device, dtype=torch.float32)
    angle = line[:, None] * frequency
    wave = torch.cat([angle.sin(), angle.cos()], dim=1)
    x = wave.expand(side, -1, -1)
    y = wave[:, None].expand(-1, side, -1)
    return torch.cat([x, y], dim=2).flatten(0, 1)


def distance_class(side: int, device: torch.device) -> Tensor:
    """(1 + side ** 2, 1 + side ** 2) int64: the class of each pair of tokens.

    The class token is first and of a class of its own. Others go by their Euclidean
    distance in tokens, after equation 18 of Wu et al. 2021 (arXiv 2107.14222).
    """
    line = torch.arange(side, device=device)
    place = torch.cartesian_prod(line, line).float()
    away = (place[:, None] - place).square().sum(dim=2).sqrt().round()
    share = torch.log(away.clamp(min=1) / RATIO) / math.log(FARTHEST / RATIO)
    shared = (RATIO + share * (FAR - RATIO)).round().clamp(max=FAR)
    near = torch.where(away <= RATIO, away, shared).long() + int(FAR)
    return torch.nn.functional.pad(near, (1, 0, 1, 0), value=CLASSES - 1)
