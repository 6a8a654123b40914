"""Products whose rows do not depend on how many rows there are (pure).

A BLAS sums in another order for another shape, so the same vector projected in a block of
ten and alone differs in its last bits. Monitoring must give the same alerts however scenes
are cut into blocks, so every product here has one shape.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.half import single
from terradrift.detect.pool import Basis, squash

_ROWS = 64
_CHUNK = 2048


def product(
    rows: NDArray[np.float32], matrix: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(m, k) rows times (k, r), in blocks of 64 rows."""
    out = np.empty((len(rows), matrix.shape[1]), np.float32)
    block = np.zeros((_ROWS, matrix.shape[0]), np.float32)
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        block[: len(part)] = part
        out[start : start + _ROWS] = (block @ matrix)[: len(part)]
    return out


def project(basis: Basis, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """(m, d) vectors in the components of `basis`, (m, r)."""
    out = np.empty((len(vectors), basis.axes.shape[1]), np.float32)
    for start in range(0, len(vectors), _CHUNK):
        part = slice(start, start + _CHUNK)
        squashed = squash(single(vectors[part]), basis.center, basis.scale)
        out[part] = product(squashed - basis.mean, basis.axes)
    return out


def finite(vectors: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(...,), which of the vectors (..., d) hold neither NaN nor infinity."""
    if vectors.dtype != np.float16:
        return np.asarray(np.isfinite(vectors).all(axis=-1))
    # A float16 is NaN or infinite exactly where its five exponent bits are set.
    bits = np.ascontiguousarray(vectors).view(np.uint16) & np.uint16(0x7C00)
    return np.asarray((bits != np.uint16(0x7C00)).all(axis=-1))


def histories(
    basis: Basis, vectors: NDArray[np.floating], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(n, t, d) to (n, t, r), zeros where not clear."""
    out = np.zeros((*clear.shape, basis.axes.shape[1]), np.float32)
    for row in range(len(clear)):  # one patch at a time: no float32 copy of a block
        out[row, clear[row]] = project(basis, vectors[row, clear[row]])
    return out
