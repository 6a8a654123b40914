"""`convolution.pooled` on torch, for a GPU: a whole batch at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from terradrift.embed.convolution import ENOUGH

if TYPE_CHECKING:
    from torch import Tensor


def pooled(
    pixels: Tensor, filters: Tensor, offset: Tensor, bias: float, size: int
) -> Tensor:
    """(n, 2 k) mean of relu(r - bias) and of relu(-r - bias) over each chip."""
    clear = torch.isfinite(pixels).all(dim=3)
    share = _weights(clear, size)[:, None]
    n, _, positions = share.shape
    seen = _windows(_filled(pixels, clear), size).reshape(n * positions, -1)
    response = torch.addmm(offset, seen, filters).view(n, positions, -1)
    above = torch.bmm(share, torch.relu(response - bias))
    below = torch.bmm(share, torch.relu(-bias - response))
    return torch.cat([above, below], dim=2)[:, 0]


def _weights(clear: Tensor, size: int) -> Tensor:
    margin = size // 2
    n, y, x = clear.shape
    centre = clear[:, margin : y - margin, margin : x - margin].reshape(n, -1)
    whole = _windows(clear[..., None], size).flatten(3).all(dim=3).view(n, -1)
    few = whole.sum(1) < ENOUGH * centre.sum(1)
    used = torch.where(few[:, None], centre, whole).float()
    return used / used.sum(1, keepdim=True)


def _filled(pixels: Tensor, clear: Tensor) -> Tensor:
    seen = clear[..., None]
    total = torch.where(seen, pixels, 0.0).sum((1, 2), keepdim=True)
    mean = total / seen.sum((1, 2), keepdim=True).clamp(min=1)
    return torch.where(seen, pixels, mean)


def _windows(pixels: Tensor, size: int) -> Tensor:
    """(n, rows, columns, y, x, band) view of every window of (n, y, x, band)."""
    view = pixels.unfold(1, size, 1).unfold(2, size, 1)
    return view.permute(0, 1, 2, 4, 5, 3)
