"""Equal rows: patches of water, and places copied into a series, repeat to the last bit."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512


def groups(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,), for each row of (n, d) the index of the first row that equals it.

    0 and -0 are equal. In the order of rows, by hash and comparison: no all-pairs work.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    # Sorting integers is quicker than sorting rows byte by byte.
    hashes = _hashes(rows)
    order = np.argsort(hashes, kind="stable")
    fresh = np.ones(len(rows), bool)
    fresh[1:] = hashes[order[1:]] != hashes[order[:-1]]
    alike = np.flatnonzero(~fresh)
    for start in range(0, len(alike), _BLOCK):
        part = alike[start : start + _BLOCK]
        fresh[part] = (rows[order[part]] != rows[order[part - 1]]).any(axis=1)
    starts = np.maximum.accumulate(np.where(fresh, np.arange(len(rows)), 0))
    first = np.empty(len(rows), np.int64)
    first[order] = order[starts]
    return first


def rank(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,), for each row how many rows of its group stand before it."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    fresh = np.ones(len(group), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    starts = np.maximum.accumulate(np.where(fresh, np.arange(len(group)), 0))
    ranks = np.empty(len(group), np.int64)
    ranks[order] = np.arange(len(group)) - starts
    return ranks


def _hashes(rows: NDArray[np.float32]) -> NDArray[np.uint64]:
    """(n,), equal for equal rows, and by a chance of about n / 2**64 for others."""
    random = np.random.default_rng(0)
    factors = random.integers(1, 2**63, size=(rows.shape[1],), dtype=np.uint64)
    factors = 2 * factors + np.uint64(1)
    hashes = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK] + np.float32(0)
        hashes[start : start + _BLOCK] = block.view(np.uint32) @ factors
    return hashes
