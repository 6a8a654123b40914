"""Chips of any size for networks of one (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def resized(image: Tensor, side: int) -> Tensor:
    """(n, c, side, side), bilinear, averaging where it shrinks; as it is where it fits.

    As the official transforms of SAM and SAM 2 for square images.
    """
    if image.shape[-2:] == (side, side):
        return image
    return functional.interpolate(
        image, size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )
