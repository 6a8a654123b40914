"""What Galileo adds to its tokens, and how it resizes the kernels of its patches (pure).

Source: Tseng et al. 2025, arXiv 2502.09356; kernels after Beyer et al. 2022 (FlexiViT),
arXiv 2212.08013.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray


def line_code(positions: Tensor, width: int) -> Tensor:
    """(..., width) float32: sine, then cosine, of each position at width / 2 frequencies.

    The exponent is half of the usual one; the weights were trained with it.
    """
    order = torch.arange(width // 2, dtype=torch.float64, device=positions.device)
    angle = positions.double()[..., None] * 10000.0 ** (-order / (2 * width))
    return torch.cat([angle.sin(), angle.cos()], dim=-1).float()


def place_code(side: int, step: float, width: int) -> Tensor:
    """(side, side, width) code of each patch of a square chip, rows from north.

    Patches are `step` apart; the first half of the code is the column's, the second the
    row's.
    """
    line = line_code(torch.arange(side) * step, width // 2)
    column = line[None, :, :].expand(side, side, -1)
    row = line[:, None, :].expand(side, side, -1)
    return torch.cat([column, row], dim=-1)


def month_table(width: int) -> Tensor:
    """(12, width) float32: the sine of the month's angle, then its cosine, each repeated."""
    angle = torch.arange(12, dtype=torch.float64)[:, None] * (2 * math.pi / 12)
    half = angle.expand(12, width // 2)
    return torch.cat([half.sin(), half.cos()], dim=1).float()


def kernel_resize(size: int, patch: int) -> Tensor:
    """(size * size, patch * patch) float32: kernel @ it is the kernel for smaller patches.

    It is the pseudo-inverse of the bicubic resizing of pictures: the resized kernel answers
    to a resized picture as the kernel to the picture, as nearly as can be.
    """
    pictures = torch.eye(size * size).view(-1, 1, size, size)
    smaller = functional.interpolate(
        pictures, (patch, patch), mode="bicubic", antialias=True
    )
    inverse: Tensor = torch.linalg.pinv(smaller.flatten(1).double())
    return inverse.T.float().contiguous()


def months(times: NDArray[np.datetime64], device: torch.device) -> Tensor:
    """(n, t) int64, January 0, of (n, t) times; 0 for a date that is not there."""
    number = times.astype("datetime64[M]").astype("int64") % 12
    number[np.isnat(times)] = 0
    return torch.from_numpy(number).to(device)


def steps(times: NDArray[np.datetime64], device: torch.device) -> Tensor:
    """(n, t) int64: which of the dates that are there each is; 0 for one that is not."""
    order = (~np.isnat(times)).cumsum(axis=1) - 1
    return torch.from_numpy(order.clip(min=0)).to(device)


def on_sphere(centers: NDArray[np.float64], device: torch.device) -> Tensor:
    """(n, 3) float32: points of the unit sphere, of (n, 2) longitude and latitude."""
    lon, lat = torch.from_numpy(centers).double().deg2rad().unbind(dim=1)
    point = [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()]
    return torch.stack(point, dim=1).float().to(device)
