"""Cosines between a patch's own observations, straight from stored vectors (pure)."""

from collections.abc import Callable
from ctypes import CDLL, c_int, c_int64
from functools import cache
from typing import Any

import numpy as np
from numpy.ctypeslib import ndpointer
from numpy.typing import NDArray

from terradrift import kernels
from terradrift.detect import drift, half


def cosines(
    vectors: NDArray[np.floating], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(n, t, t), cosine of every two observations of a patch; 0 unless both are clear.

    Args:
        vectors: (n, t, d), float16 or float32; not read where not clear. A vector of
            zeros has the cosine 0 with all, itself included.
        clear: (n, t), which observations count.

    Raises:
        ValueError: shapes that do not fit, or another precision.
    """
    if vectors.ndim != 3 or vectors.shape[:2] != clear.shape:
        raise ValueError(
            f"expected vectors (n, t, d) and clear (n, t), got {vectors.shape} "
            f"and {clear.shape}"
        )
    if vectors.dtype not in (np.float16, np.float32):
        raise ValueError(f"vectors must be float16 or float32, got {vectors.dtype}")
    compiled = kernels.opened("gram")
    if compiled is None:
        return _numpy(vectors, clear)
    vectors = np.ascontiguousarray(vectors)
    clear = np.ascontiguousarray(clear, np.bool_)
    n, t, d = vectors.shape
    found = np.zeros((n, t, t), np.float32)
    call = _compiled(compiled, vectors.dtype)
    if call(vectors, clear, vectors.dtype == np.float16, n, t, d, found):
        raise MemoryError("no memory left for cosines")
    return found


@cache
def _compiled(library: CDLL, dtype: np.dtype[Any]) -> Callable[..., int]:
    call = library["cosines"]  # another object than library.cosines, with its own types
    call.argtypes = [
        ndpointer(dtype, flags="C"),
        ndpointer(np.bool_, flags="C"),
        *[c_int64] * 4,
        ndpointer(np.float32, flags=("C", "W")),
    ]
    call.restype = c_int
    return call


def _numpy(
    vectors: NDArray[np.floating], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The twin of the kernel."""
    with np.errstate(invalid="ignore"):  # what is not finite spoils its own patch
        wide = np.where(clear[..., None], half.single(vectors), np.float32(0))
        turned = drift.unit(wide)
        found: NDArray[np.float32] = turned @ turned.transpose(0, 2, 1)
    return found
