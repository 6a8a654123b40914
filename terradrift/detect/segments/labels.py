"""Label maps: every pixel in one connected region (pure).

A label map is (y, x) int32 with regions 1..n; no pixel is in none.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

_ODD, _MASK = 2_654_435_761, 0xFFFFFFFF
"""Shuffles neighbours of equally long borders, the same way everywhere."""


def connected(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """(y, x) connected parts (4 neighbours) of equal values, numbered 1..n in row order."""
    from skimage import measure

    # Below all values, so that no value counts as background.
    found = measure.label(  # type: ignore[no-untyped-call]  # it has none
        labels, background=int(labels.min(initial=0)) - 1, connectivity=1
    )
    return np.asarray(found, np.int32)


def areas(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """(n,) pixels of each region."""
    found: NDArray[np.int64] = np.bincount(labels.ravel())[1:]
    return found


def refined(
    first: NDArray[np.integer], second: NDArray[np.integer]
) -> NDArray[np.int32]:
    """(y, x) connected parts of pixels that share a region in both maps.

    Raises:
        ValueError: the maps are of different sizes.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"expected two label maps of one size, got {first.shape} and {second.shape}"
        )
    wide = np.int64(second.max(initial=0)) + 1
    return connected(first.astype(np.int64) * wide + second)


def merged(
    labels: NDArray[np.int32],
    least_px: int,
    kind: NDArray[np.integer] | None = None,
    image: NDArray[np.float32] | None = None,
) -> NDArray[np.int32]:
    """(y, x) without regions of fewer than `least_px` pixels that have a neighbour to join.

    Each joins the neighbour that is most alike in the mean of `image` (c, y, x; NaN counts
    as 0; None: all alike), of those the one of the longest common border, and a large one
    before a small one; small ones among themselves join in pairs, until they are large.
    `kind` (y, x), constant over each region: regions of different kinds never join, so a
    small island of one kind stays.
    """
    labels = np.asarray(labels, np.int32)
    while True:
        n = int(labels.max(initial=0))
        area = areas(labels)
        small = area < least_px
        if n < 2 or not small.any():
            return labels
        one, other, border = _borders(labels)
        if kind is not None:
            of = np.zeros(n, np.int64)
            of[labels.ravel() - 1] = kind.ravel()
            alike = of[one] == of[other]
            one, other, border = one[alike], other[alike], border[alike]
        from_small = small[one]
        one, other, border = one[from_small], other[from_small], border[from_small]
        if len(one) == 0:
            return labels
        apart = _apart(labels, image, area, one, other)
        # The same both ways: of slivers among themselves some are each other's best.
        tie = np.minimum(one, other) * n + np.maximum(one, other)
        tie = tie * _ODD & _MASK
        # The last of each `one` is its best neighbour.
        order = np.lexsort((tie, border, -apart, ~small[other], one))
        one, other = one[order], other[order]
        last = np.append(one[1:] != one[:-1], [True])
        best = np.full(n, -1)
        best[one[last]] = other[last]
        # Slivers join each other in pairs, so that a field of them does not become one.
        joins = (best >= 0) & (~small[best] | (best[best] == np.arange(n)))
        rows = np.flatnonzero(joins)
        edges = sparse.coo_array(
            (np.ones(len(rows), np.int8), (rows, best[rows])), shape=(n, n)
        )
        _, group = csgraph.connected_components(edges, directed=False)
        labels = connected(group[labels - 1])


def _apart(
    labels: NDArray[np.int32],
    image: NDArray[np.float32] | None,
    area: NDArray[np.int64],
    one: NDArray[np.int64],
    other: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(k,) squared distance between the means of pairs of regions, counted from 0."""
    found = np.zeros(len(one))
    for band in () if image is None else image:
        values = np.nan_to_num(band).ravel()
        mean = np.bincount(labels.ravel(), values)[1:] / area
        found += (mean[one] - mean[other]) ** 2
    return found


def _borders(
    labels: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Neighbours (k,), (k,), both ways, counted from 0, and pixel sides between them (k,)."""
    n = int(labels.max(initial=0))
    keys = []
    for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        differ = a != b
        low, high = a[differ].astype(np.int64) - 1, b[differ].astype(np.int64) - 1
        keys += [low * n + high, high * n + low]
    pairs, border = np.unique(np.concatenate(keys), return_counts=True)
    one, other = np.divmod(pairs, n)
    return one, other, border
