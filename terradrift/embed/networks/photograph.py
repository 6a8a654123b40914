"""Reflectance as a photograph, for networks that were trained on those (pure)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

WHITE = 0.3
"""Reflectance shown as white. Fixed: a stretch by chip would make chips incomparable."""
# ImageNet's, on 0..255, as the code of SAM has them; others have these / 255.
_MEAN = (123.675, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)


def stretched(reflectance: Tensor) -> Tensor:
    """Whole numbers 0..255, float32, of (n, 3, y, x) red, green, blue reflectance."""
    return (reflectance / WHITE).clamp(0, 1).mul(255).round()


def resized(image: Tensor, side: int) -> Tensor:
    """(n, 3, side, side), bilinear, averaging where it shrinks; as it is where it fits."""
    if image.shape[-2:] == (side, side):
        return image
    return functional.interpolate(
        image, size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )


def standard(image: Tensor) -> Tensor:
    """(n, 3, y, x) of about zero mean and unit variance, of 0..255."""
    mean = torch.tensor(_MEAN, device=image.device)[:, None, None]
    std = torch.tensor(_STD, device=image.device)[:, None, None]
    return (image - mean) / std
