"""Pixels of a block as patches: mean vector, share of pixels with one, spread (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """`r` x `c` patches."""

    vectors: NDArray[np.float32]
    """(r, c, d)"""
    share: NDArray[np.float64]
    """(r, c), 0..1, of pixels that have a vector."""
    spread: NDArray[np.float64]
    """(r, c), 0..1: 1 less the length of the mean of unit vectors; 0: all pixels alike."""


def means(
    vectors: NDArray[np.float32], good: NDArray[np.bool_], px: int, *, unit: bool
) -> Means:
    """Patches of `px` x `px` pixels.

    Args:
        vectors: (d, h, w), zeros where not good; h and w whole numbers of patches.
        good: (h, w), pixels that have a vector.
        px: pixels of a patch's side.
        unit: whether the mean is brought back to length 1.
    """
    d, h, w = vectors.shape
    rows, cols = h // px, w // px
    blocks = vectors.reshape(d, rows, px, cols, px)
    count = good.reshape(rows, px, cols, px).sum(axis=(1, 3))
    total = blocks.sum(axis=(2, 4), dtype=np.float64)
    length = np.sqrt(np.einsum("dhw,dhw->hw", vectors, vectors, dtype=np.float64))
    lengths = length.reshape(rows, px, cols, px).sum(axis=(1, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        norm = np.sqrt((mean**2).sum(axis=0))
        spread = np.clip(1 - norm / (lengths / count), 0, 1)
        if unit:
            mean = mean / norm
    return Means(np.moveaxis(mean, 0, -1).astype(np.float32), count / px**2, spread)
