"""Equal rows: patches of water, and places copied into a series, repeat to the last bit."""

import numpy as np
from numpy.typing import NDArray


def groups(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,), for each row of (n, d) the index of the first row that equals it.

    0 and -0 are equal. In the order of rows, by hash and comparison: no all-pairs work.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float32) + np.float32(0)
    # Sorting integers is quicker than sorting rows byte by byte.
    order = np.argsort(_hashes(rows), kind="stable")
    keys = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    hashed = keys[order]
    fresh = np.ones(len(rows), bool)
    fresh[1:] = hashed[1:] != hashed[:-1]
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
    hashes = np.zeros(len(rows), np.uint64)
    for column in range(rows.shape[1]):
        hashes += rows[:, column].view(np.uint32) * (2 * factors[column] + 1)
    return hashes
