"""Half to single precision, several times quicker than a cast of NumPy's."""

import numpy as np
from numpy.typing import NDArray

_MAGNITUDE = 13  # bits from the end of a half's mantissa to that of a single's
_KEEP = np.int32(-0x70000001)  # the sign, and all below the copies that it left
_BIAS = np.float32(2.0**112)
_LEAST_INFINITE = 2.0**16  # what infinity becomes; NaN becomes more


def single(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """`rows` as float32, of any shape and precision; equal to `astype` bit for bit.

    The bits of a half, moved to where a single keeps them, are its value but for a power
    of two, subnormal numbers included.
    """
    if rows.dtype != np.float16:
        return rows.astype(np.float32, copy=False)
    bits = np.ascontiguousarray(rows).view(np.int16).astype(np.int32)
    np.left_shift(bits, _MAGNITUDE, out=bits)
    np.bitwise_and(bits, _KEEP, out=bits)
    wide = bits.view(np.float32)
    np.multiply(wide, _BIAS, out=wide)
    if wide.size and max(wide.max(), -wide.min()) >= _LEAST_INFINITE:
        return rows.astype(np.float32)
    return wide
