"""From reflectance to what networks were trained on (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WHITE = 0.3
"""Reflectance that is white in 8 bits. Fixed: a stretch by percentiles of each chip would
take from vectors what makes two dates comparable."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Red, green and blue of ImageNet, 0..1."""
STRETCHED = (
    f"reflectance (DN / 10000 without the offset of 1000) 0..{WHITE} stretched to 0..255, "
    "clipped, rounded half to even"
)
STANDARDISED = f"/ 255, minus {IMAGENET_MEAN}, / {IMAGENET_STD}"
"""What `stretched` and `standardised` do, in words for cards."""


def clipped(reflectance: Tensor) -> Tensor:
    """(n, band, y, x) reflectance, cut to 0..1."""
    return reflectance.clamp(0.0, 1.0)


def stretched(reflectance: Tensor) -> Tensor:
    """(n, 3, y, x) whole numbers 0..255 as float32: reflectance 0..`WHITE`, half to even."""
    return (reflectance / WHITE).clamp(0.0, 1.0).mul(255.0).round()


def standardised(rgb: Tensor) -> Tensor:
    """(n, 3, y, x) of `stretched`, brought to 0..1 and by mean and deviation of ImageNet."""
    mean = rgb.new_tensor(IMAGENET_MEAN)[:, None, None]
    std = rgb.new_tensor(IMAGENET_STD)[:, None, None]
    return (rgb / 255.0 - mean) / std


def imagenet(reflectance: Tensor) -> Tensor:
    """(n, 3, y, x) reflectance of red, green, blue as ImageNet's photographs were given."""
    return standardised(stretched(reflectance))
