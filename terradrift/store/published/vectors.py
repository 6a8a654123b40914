"""A column of vectors, of whatever list type, as an array; what is no vector is told apart."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import SchemaError
from terradrift.store.published import forms


def length(column: pa.Array) -> int | None:
    """Numbers of the first vector that is one; None: all are null."""
    lengths = pc.list_value_length(column).drop_null()
    return int(lengths[0].as_py()) if len(lengths) else None


def matrix(
    column: pa.Array, dimensions: int, path: Path, *, quantized: bool
) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """(n, d) vectors, and (n,) which of them are.

    Not one are: null, a vector with a null, NaN or a value beyond float16, and one of zeros
    alone, which has no direction.

    Raises:
        SchemaError: vectors of another length: they are of another model.
    """
    count = len(column)
    found = np.zeros((count, dimensions), np.float16)
    lengths = pc.list_value_length(column).fill_null(0)
    lengths = lengths.to_numpy(zero_copy_only=False)
    there = column.is_valid().to_numpy(zero_copy_only=False) & (lengths > 0)
    if (odd := there & (lengths != dimensions)).any():
        raise SchemaError(
            f"{path}: expected vectors of {dimensions} numbers, got one of "
            f"{lengths[odd][0]}; vectors of two models do not go together"
        )
    if not there.any():
        return found, there
    flat = column.filter(pa.array(there)).flatten()
    numbers = flat.to_numpy(zero_copy_only=False).reshape(-1, dimensions)
    if quantized:
        # A null among bytes makes them floats with NaN, which is told below.
        low, high = forms.span()
        numbers = numbers.astype(np.float32) * np.float32(
            (high - low) / 255
        ) + np.float32(low)
    with np.errstate(over="ignore", invalid="ignore"):
        found[there] = numbers.astype(np.float16)
    good = np.isfinite(found).all(axis=1) & (found != 0).any(axis=1)
    return found, there & good
