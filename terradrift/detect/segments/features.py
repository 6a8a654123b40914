"""Mean features of regions from a dense map of coarse cells (pure).

The map is never brought to the pixels: a region's mean is a weighted sum over cells, by how
many of its pixels lie in each. Where all is clear this is the mean over the region's pixels
of the map upsampled to them by nearest neighbour, as Li et al. compute it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from terradrift.detect.segments.labels import areas

_LEAST = 1e-12


def overlap(
    labels: NDArray[np.int32], cells: tuple[int, int], stride: float
) -> sparse.csr_array:
    """(n, h * w) pixels that each region has in each cell.

    `stride` is the side of a cell in pixels, whole or not; cells begin at the image's upper
    left corner.

    Raises:
        ValueError: the cells do not cover the image.
    """
    h, w = cells
    y, x = labels.shape
    rows = np.floor((np.arange(y) + 0.5) / stride).astype(np.int64)
    cols = np.floor((np.arange(x) + 0.5) / stride).astype(np.int64)
    if rows[-1] >= h or cols[-1] >= w:
        raise ValueError(
            f"{h} x {w} cells of {stride:g} pixels do not cover an image of {y} x {x}"
        )
    cell = rows[:, None] * w + cols
    n = int(labels.max(initial=0))
    found = sparse.coo_array(
        (
            np.ones(labels.size, np.float32),
            (labels.ravel() - 1, cell.ravel()),
        ),
        shape=(n, h * w),
    )
    return found.tocsr()


def clear_cells(
    clear: NDArray[np.bool_], cells: tuple[int, int], stride: float
) -> NDArray[np.float32]:
    """(h, w) share of each cell's pixels that are clear, 0 in a cell without pixels."""
    h, w = cells
    y, x = clear.shape
    rows = np.floor((np.arange(y) + 0.5) / stride).astype(np.int64)
    cols = np.floor((np.arange(x) + 0.5) / stride).astype(np.int64)
    cell = (rows[:, None] * w + cols).ravel()
    seen = np.bincount(cell, clear.ravel(), minlength=h * w)
    pixels = np.bincount(cell, minlength=h * w)
    share = np.divide(seen, np.maximum(pixels, 1), dtype=np.float64)
    return np.asarray(share, np.float32).reshape(h, w)


def weighted(
    dense: NDArray[np.float32], cell_clear: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(h * w, d + 1) the map `dense` (d, h, w) times what each cell counts, and that.

    A cell counts by its clear share `cell_clear` (h, w; None: all clear), one with a NaN
    not at all.
    """
    d = len(dense)
    flat = dense.reshape(d, -1).T
    known = np.all(np.isfinite(flat), axis=1)
    found = np.zeros((len(flat), d + 1), np.float32)
    found[:, -1] = known if cell_clear is None else known * cell_clear.ravel()
    np.multiply(flat, found[:, -1:], out=found[:, :-1], where=known[:, None])
    return found


def region_means(
    inside: sparse.csr_array, cells: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n, d) mean over each region of what `weighted` gave, NaN where none is known.

    A cell counts by the region's pixels in it too, as `overlap` says.
    """
    total: NDArray[np.float32] = inside @ cells
    mean = np.full((len(total), total.shape[1] - 1), np.nan, np.float32)
    np.divide(total[:, :-1], total[:, -1:], out=mean, where=total[:, -1:] > 0)
    return mean


def clear_share(
    labels: NDArray[np.int32], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(n,) share of each region's pixels that are clear (y, x)."""
    area = areas(labels)
    seen = np.bincount(labels.ravel(), clear.ravel(), minlength=len(area) + 1)[1:]
    return (seen / area).astype(np.float32)


def texture(
    labels: NDArray[np.int32], image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n,) how rough each region is in `image` (band, y, x).

    The mean over bands of the standard deviation over clear pixels, in units of that of the
    whole image; NaN where fewer than two are clear.
    """
    of = labels.ravel() - 1
    n = int(labels.max(initial=0))
    total = np.zeros(n)
    for band in image:
        values = band.ravel().astype(np.float64)
        there = np.isfinite(values)
        if not there.any():
            return np.full(n, np.nan, np.float32)
        seen, where = values[there] - values[there].mean(), of[there]
        count = np.bincount(where, minlength=n)
        some = np.where(count > 1, count, np.nan)
        mean = np.bincount(where, seen, minlength=n) / some
        square = np.bincount(where, seen**2, minlength=n) / some
        whole = max(float(seen.std()), _LEAST)
        total += np.sqrt(np.maximum(square - mean**2, 0)) / whole
    return (total / len(image)).astype(np.float32)
