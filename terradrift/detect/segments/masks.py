"""Regions of masks that may overlap and leave ground out, such as those of SAM (pure)."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.segments.labels import connected


def partition(
    masks: Iterable[NDArray[np.bool_]], superpixels: NDArray[np.integer]
) -> NDArray[np.int32]:
    """(y, x) connected regions: the smallest mask over a pixel, else its superpixel.

    `masks` are (y, x) each, of any size up to the whole image, in any number; none at all
    leaves the superpixels. Where a superpixel is 0 (not clear) the region is 0.

    Raises:
        ValueError: a mask of another size than the superpixels.
    """
    ordered = sorted(masks, key=_pixels, reverse=True)
    out = superpixels.astype(np.int64)
    first = int(out.max(initial=0)) + 1
    for number, mask in enumerate(ordered, first):
        if mask.shape != out.shape:
            raise ValueError(
                f"expected masks of {out.shape} pixels, as the image, got {mask.shape}"
            )
        out[mask] = number
    out[superpixels == 0] = 0
    found = connected(out)
    found[superpixels == 0] = 0
    return found


def _pixels(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))
