"""What regions say of patches (pure): means by how many clear pixels they share."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def shared(
    labels: NDArray[np.int32],
    patch: NDArray[np.integer],
    clear: NDArray[np.bool_],
    count: int,
) -> sparse.csr_array:
    """(count, n) clear pixels that each patch shares with each region.

    `patch` (y, x) is the number of the patch of a pixel, -1 for none.
    """
    inside = clear & (patch >= 0)
    found = sparse.coo_array(
        (
            np.ones(int(inside.sum()), np.float32),
            (patch[inside], labels[inside] - 1),
        ),
        shape=(count, int(labels.max(initial=0))),
    )
    return found.tocsr()


def means(
    pixels: sparse.csr_array, values: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(t, count) mean of values (t, n) over the pixels of each patch, and how many count.

    A region that is NaN does not count; NaN where none does.
    """
    known = np.isfinite(values)
    weight = (pixels @ known.T.astype(np.float32)).T
    total = (pixels @ np.where(known, values, 0).T.astype(np.float32)).T
    mean = np.full(weight.shape, np.nan, np.float32)
    np.divide(total, weight, out=mean, where=weight > 0)
    return mean, np.asarray(weight, np.float32)


def largest(pixels: sparse.csr_array) -> NDArray[np.int64]:
    """(count,) the region with most pixels in each patch, counted from 0; -1 for none."""
    dense = pixels.tocoo()
    out = np.full(pixels.shape[0], -1, np.int64)
    order = np.lexsort((-dense.col, dense.data))
    out[dense.row[order]] = dense.col[order]
    return out
