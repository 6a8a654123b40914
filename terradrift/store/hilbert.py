"""Order along the Hilbert curve: what is near on it is near on the ground (pure)."""

import numpy as np
from numpy.typing import NDArray

_BITS = 21
"""Cells per axis: 2**21 tiles of any size reach around the Earth."""


def distance(
    x: NDArray[np.int64], y: NDArray[np.int64], bits: int = _BITS
) -> NDArray[np.int64]:
    """(n,) position of the cells (x, y), each 0..2**bits - 1, on the curve.

    Source: the rotate-and-flip form of Hilbert's curve (Warren, Hacker's Delight, 16).
    """
    x, y = x.astype(np.int64), y.astype(np.int64)
    found = np.zeros_like(x)
    for bit in reversed(range(bits)):
        side = 1 << bit
        right, upper = (x & side) > 0, (y & side) > 0
        found += side * side * ((3 * right) ^ upper)
        flip = right & ~upper
        x = np.where(flip, side - 1 - (x & (side - 1)), x & (side - 1))
        y = np.where(flip, side - 1 - (y & (side - 1)), y & (side - 1))
        x, y = np.where(upper, x, y), np.where(upper, y, x)
    return found
