"""Blocks of histories as one array over all days (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.series import Series


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """`n` patches on the `t` days on which any of them was clear."""

    patch_ids: NDArray[np.str_]
    """(n,)"""
    days: NDArray[np.datetime64]
    """(t,), datetime64[D], ascending."""
    vectors: NDArray[np.floating]
    """(n, t, d), zeros where not clear."""
    clear: NDArray[np.bool_]
    """(n, t)"""


def observed(blocks: Sequence[tuple[Series, NDArray[np.bool_]]]) -> Observed:
    """Put blocks, each with what of it is clear (n, t), under one another.

    Raises:
        ValueError: no block.
    """
    if not blocks:
        raise ValueError("expected a block of histories, got none")
    days = np.unique(
        np.concatenate([block.days[clear.any(axis=0)] for block, clear in blocks])
    )
    count = sum(len(block) for block, _ in blocks)
    first = blocks[0][0].vectors
    vectors = np.zeros((count, len(days), first.shape[2]), first.dtype)
    seen = np.zeros((count, len(days)), bool)
    start = 0
    for block, clear in blocks:
        rows = slice(start, start + len(block))
        used = np.flatnonzero(clear.any(axis=0))
        at = np.searchsorted(days, block.days[used])
        seen[rows, at] = clear[:, used]
        vectors[rows, at] = np.where(clear[:, used, None], block.vectors[:, used], 0)
        start += len(block)
    ids = np.concatenate([block.patch_ids for block, _ in blocks])
    return Observed(ids, days, vectors, seen)
