"""Pooled responses of square kernels over chips with masked pixels, on torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK_POSITIONS = 1024
"""Positions per block on the CPU: windows and responses of a block stay in its cache."""

_ENOUGH = 0.5
"""Share of a patch's clear pixels that must have a whole clear window around them."""


def windows(pixels: Tensor, size: int) -> Tensor:
    """(n, positions, band * size * size): every window of (n, band, y, x), row-major."""
    view = pixels.unfold(2, size, 1).unfold(3, size, 1)
    n, band, y, x = view.shape[:4]
    return view.permute(0, 2, 3, 1, 4, 5).reshape(n, y * x, band * size * size)


def weights(clear: Tensor, size: int) -> Tensor:
    """(n, positions) share of each window in the mean over its chip; sums to 1.

    `clear` is (n, y, x). Windows that touch a masked pixel are left out. Where fewer than
    half of a chip's clear pixels (all but its margin of size // 2) have a whole window,
    windows around clear pixels count instead, masked pixels being filled. A chip without
    clear pixels gets NaN.
    """
    margin = size // 2
    n, y, x = clear.shape
    centre = clear[:, margin : y - margin, margin : x - margin].reshape(n, -1)
    whole = windows(clear[:, None], size).all(dim=2)
    few = whole.sum(1) < _ENOUGH * centre.sum(1)
    used = torch.where(few[:, None], centre, whole).float()
    return used / used.sum(1, keepdim=True)


def fill(pixels: Tensor, clear: Tensor) -> Tensor:
    """Masked pixels of each chip become the mean of its clear ones, band by band."""
    kept = torch.where(clear[:, None], pixels, 0.0)
    count = clear.sum((1, 2)).clamp(min=1)
    mean = kept.sum((2, 3)) / count[:, None]
    return torch.where(clear[:, None], pixels, mean[:, :, None, None])


def pooled(
    pixels: Tensor, filters: Tensor, offset: Tensor, bias: float, size: int
) -> Tensor:
    """(n, 2 k) mean of relu(r - bias) and of relu(-r - bias) over the chip.

    r = window . filter + offset, for k filters (band * size * size, k) at every window
    of (n, band, y, x) pixels, NaN where masked (in any band).
    """
    positions = (pixels.shape[2] - size + 1) * (pixels.shape[3] - size + 1)
    block = max(1, _BLOCK_POSITIONS // positions)
    if pixels.device.type != "cpu":
        block = len(pixels)
    parts = [
        _pooled(part, filters, offset, bias, size)
        for part in torch.split(pixels, block)
    ]
    return torch.cat(parts)


def _pooled(
    pixels: Tensor, filters: Tensor, offset: Tensor, bias: float, size: int
) -> Tensor:
    clear = torch.isfinite(pixels).all(dim=1)
    share = weights(clear, size)[:, None]
    n, positions = len(pixels), share.shape[2]
    seen = windows(fill(pixels, clear), size).reshape(n * positions, -1)
    response = torch.addmm(offset, seen, filters).view(n, positions, -1)
    above = torch.bmm(share, torch.relu(response - bias))
    below = torch.bmm(share, torch.relu(-bias - response))
    return torch.cat([above, below], dim=2)[:, 0]
