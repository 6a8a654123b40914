"""Vectors as 16-bit integers that are never farther apart, but for a known slack.

Products of such integers are exact, so a bound of a distance that is taken from them has no
rounding to account for but that of the vectors, whose length is known for each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Exact = NDArray[np.float64]

_LONGEST = 32_700
"""Length of integer vectors: with it sums of products stay within 32 bits."""
_MEDIANS = 8
"""Vectors longer than so many medians are cut, which brings none farther apart."""
_BLOCK = 512


@dataclass(frozen=True, slots=True, eq=False)
class Integers:
    """Vectors as integers: no two are farther apart, but for the slack of each."""

    ints: NDArray[np.int16]
    """(n, c), c even."""
    squares: NDArray[np.int64]
    """(n,), squared lengths."""
    slack: Exact
    """(n,), in the units of the vectors."""
    step: float
    """The length of 1 in the units of the vectors."""


def step_of(*lengths: Exact) -> float:
    """The length of one integer, such that the longest vectors can be told."""
    every = np.concatenate(lengths)
    longest = every.max(initial=0)
    usual = _MEDIANS * float(np.median(every)) if len(every) else 0.0
    return float(min(longest, usual) or longest or 1) / _LONGEST


def lengths(rows: Rows, center: Rows) -> Exact:
    """(n,), lengths of (n, c) around `center`."""
    found = np.empty(len(rows))
    for part, block in _blocks(rows, center):
        found[part] = np.sqrt(np.einsum("nc,nc->n", block, block))
    return found


def rounded(rows: Rows, center: Rows, step: float, loose: float) -> Integers:
    """Round (n, c) around `center`; `loose` is the relative error of the vectors."""
    n, columns = rows.shape
    ints = np.zeros((n, columns + columns % 2), np.int16)
    slack, squares = np.empty(n), np.empty(n, np.int64)
    for part, block in _blocks(rows, center):
        wide = np.divide(block, step, out=block)
        long = np.sqrt(np.einsum("nc,nc->n", wide, wide))
        wide *= np.minimum(1, _LONGEST / np.maximum(long, 1))[:, None]
        whole = np.rint(wide)
        ints[part, :columns] = whole
        squares[part] = np.einsum("nc,nc->n", whole, whole)
        wide -= whole
        left = np.sqrt(np.einsum("nc,nc->n", wide, wide))
        slack[part] = step * (left * (1 + 1e-9) + loose * long)
    return Integers(ints, squares, slack, step)


def _blocks(rows: Rows, center: Rows) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield part, np.subtract(rows[part], center, dtype=np.float64)
