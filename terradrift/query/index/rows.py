"""Rows of half precision: as single, their lengths, and their products with a vector (pure)."""

import numpy as np
from numpy.typing import NDArray

from terradrift.query.index import kernel

BLOCK = 4096
"""Rows handled at a time, so that what they become stays near the processor."""


def widen(
    rows: NDArray[np.float16], mean: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Rows (n, d) less `mean` (d,) into `out` (n, d), whose own rows may lie apart."""
    call = kernel.opened("widen")
    if call is None:
        np.subtract(rows, mean, out=out, dtype=np.float32)
        return
    step = out.strides[0] // out.itemsize
    rows = np.ascontiguousarray(rows)
    mean = np.ascontiguousarray(mean)
    call(
        kernel.at(rows, np.float16),
        kernel.at(mean, np.float32),
        *rows.shape,
        step,
        out.ctypes.data,
    )


def lengths_of(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    """(n,) lengths of rows (n, d), NaN where one is not finite."""
    found = np.empty(len(rows), np.float32)
    nothing = np.zeros(rows.shape[1], np.float32)
    wide = np.empty((min(BLOCK, len(rows)), rows.shape[1]), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        values = wide[: len(part)]
        widen(part, nothing, values)
        with np.errstate(invalid="ignore", over="ignore"):
            found[start : start + BLOCK] = np.einsum("nd,nd->n", values, values)
    found[~np.isfinite(found)] = np.nan
    return np.sqrt(found, out=found)


def dots(
    rows: NDArray[np.float16],
    vector: NDArray[np.float32],
    slices: NDArray[np.int64],
    *,
    way: int = 0,
) -> NDArray[np.float32]:
    """Inner products of `vector` with the rows of `slices` (k, 2), in turn.

    Sums are taken in float32 over 16 lanes or more. `way` chooses among the kernel's loops,
    for tests: 1 to 3 are AVX-512, AVX2 and plain.

    Raises:
        ValueError: the processor lacks what `way` asks for.
    """
    count = int((slices[:, 1] - slices[:, 0]).sum())
    found = np.empty(count, np.float32)
    call = kernel.opened("dots")
    if call is None:
        return _dots(rows, vector, slices, found)
    slices = np.ascontiguousarray(slices)
    failed = call(
        kernel.at(rows, np.float16),
        rows.shape[1],
        kernel.at(vector, np.float32),
        kernel.at(slices, np.int64),
        len(slices),
        way,
        kernel.at(found, np.float32),
    )
    if failed:
        raise ValueError(f"this processor cannot take the way {way}")
    return found


def _dots(
    rows: NDArray[np.float16],
    vector: NDArray[np.float32],
    slices: NDArray[np.int64],
    found: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The twin of the kernel."""
    done = 0
    for start, stop in slices.tolist():
        for first in range(start, stop, BLOCK):
            part = rows[first : min(first + BLOCK, stop)].astype(np.float32)
            with np.errstate(invalid="ignore", over="ignore"):
                found[done : done + len(part)] = part @ vector
            done += len(part)
    return found


def gamma(dimensions: int) -> float:
    """Bound of the relative error of such a sum: of |<a, b>| beside |a| |b|.

    A lane sums at most d / 16 products, and a few roundings follow (Higham, Accuracy and
    stability of numerical algorithms, 2002, section 3.1).
    """
    return (dimensions / 16 + 24) * 2.0**-24
