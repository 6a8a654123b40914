"""What the scene as a whole did, allowed for before pixels are judged."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMOOTH_PX = 3
"""Side of the square over which residuals are averaged, unless told otherwise."""
_LN2 = 0.6931472
"""Median of |r| / scale of a Laplace distribution."""
_ROUNDS = 6
_CUT = 4.0
"""Residuals beyond so many scales have no say in what the scene did."""
_PRIOR = 400.0
"""Pixels that the belief in gain 1 and offset 0 is worth."""
_BOUND = (0.5, 2.0)
_LEAST_PIXELS = 64


def levelled(
    mean: Tensor, scale: Tensor, target: Tensor, clear: Tensor
) -> tuple[Tensor, Tensor]:
    """`mean` and `scale` (n, band, y, x), moved by what the whole scene did to each band.

    Gain and offset of each band by reweighted least squares (Tukey's bisquare on residuals
    over the scale), drawn to 1 and 0; then the scale times the scene's median residual over
    that of a Laplace distribution, never below 1. What covers less than a half of the scene
    hardly moves either. `clear` (n, y, x): pixels of `target` to judge by; a scene with
    fewer than 64 of them stays as it is.
    """
    seen = clear[:, None].to(mean.dtype)
    few = clear.sum(dim=(1, 2)) < _LEAST_PIXELS
    y = torch.where(clear[:, None], target, mean)
    weight0 = seen / scale.square()
    weight0 = weight0 / weight0.sum(dim=(2, 3), keepdim=True).clamp_min(1e-12)
    weight0 = weight0 * seen.sum(dim=(2, 3), keepdim=True)
    gain = torch.ones_like(mean[:, :, :1, :1])
    offset = _middle((y - mean), clear)
    for _ in range(_ROUNDS):
        fitted = gain * mean + offset
        u = (y - fitted) / scale
        # In a bad scene all residuals are large; none is an outlier for that alone.
        wide = (_middle(u.abs(), clear) / _LN2).clamp_min(1.0)
        weight = weight0 * (1 - (u / (_CUT * wide)).square()).clamp_min(0).square()
        total = weight.sum(dim=(2, 3), keepdim=True).clamp_min(1e-6)
        x0 = (weight * mean).sum(dim=(2, 3), keepdim=True) / total
        y0 = (weight * y).sum(dim=(2, 3), keepdim=True) / total
        xx = (weight * (mean - x0).square()).sum(dim=(2, 3), keepdim=True)
        xy = (weight * (mean - x0) * (y - y0)).sum(dim=(2, 3), keepdim=True)
        # The prior's pixels are spread as the scene is, so that units do not matter.
        prior = _PRIOR * (xx / total).clamp_min(1e-6)
        gain = ((xy + prior) / (xx + prior)).clamp(*_BOUND)
        offset = y0 - gain * x0
    keep = few[:, None, None, None]
    moved = torch.where(keep, mean, gain * mean + offset)
    u = (y - moved) / scale
    wide = (_middle(u.abs(), clear) / _LN2).clamp_min(1.0)
    return moved, torch.where(keep, scale, scale * wide)


def _middle(values: Tensor, clear: Tensor) -> Tensor:
    """(n, band, 1, 1) median over clear pixels, 0 where there are none."""
    flat = torch.where(clear[:, None], values, torch.nan).flatten(2)
    return flat.nanmedian(dim=2).values.nan_to_num(0.0)[:, :, None, None]


def smoothed(u: Tensor, clear: Tensor, side: int) -> Tensor:
    """(n, band, y, x) mean over the clear pixels of a square of `side` pixels."""
    if side == 1:
        return u
    seen = clear[:, None].to(u.dtype)
    total, share = (
        functional.avg_pool2d(each, side, stride=1, padding=side // 2)
        for each in (u * seen, seen)
    )
    return torch.where(share > 0, total / share.clamp_min(1e-6), 0.0)
