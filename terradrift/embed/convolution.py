"""Pooled responses of square kernels over chips with masked pixels.

On the CPU in NumPy, whose BLAS multiplies float32 up to twice as quickly there as that of
torch and which allocates nothing per block; `convolution_torch` is the same on a GPU.
"""

from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_Number = TypeVar("_Number", bound=np.generic)

_BLOCK_POSITIONS = 1024
"""Windows per block: they and their responses stay in the cache of one core."""

ENOUGH = 0.75
"""Share of a patch's clear pixels that must have a whole clear window around them.

Under masks of many shapes, vectors then stay as near to those of the unmasked patch as if
masked pixels were always filled; and where there is plenty, pixels beside a mask, which
clouds often reach, count less."""


def pooled(
    pixels: NDArray[np.float32],
    filters: NDArray[np.float32],
    offset: NDArray[np.float32],
    bias: float,
    size: int,
) -> NDArray[np.float32]:
    """(n, 2 k) mean of relu(r - bias) and of relu(-r - bias) over each chip.

    r = window . filter + offset for (m, k) `filters` and (k,) `offset`, at every window of
    (n, y, x, band) `pixels`, which are NaN where masked in any band; m runs over y, x and
    band of a window. A chip is its pixels but for a margin of size // 2. Windows that touch
    a masked pixel do not count. Where fewer than three quarters of a chip's clear pixels
    have a whole window, windows around clear pixels count instead, masked pixels being the
    mean of the clear ones. A chip without a clear pixel gives NaN.
    """
    # NaN in any band makes the sum NaN; a product adds short rows twice as quickly.
    clear = np.isfinite(pixels @ np.ones(pixels.shape[3], np.float32))
    share = weights(clear, size)
    n, positions = share.shape
    k = filters.shape[1]
    above, below = bias - offset, -bias - offset
    pixels = filled(pixels, clear)
    windows = _windows(pixels, size)
    block = max(1, _BLOCK_POSITIONS // positions)
    seen = np.empty((block, *windows.shape[1:]), np.float32)
    response = np.empty((block * positions, k), np.float32)
    cut = np.empty_like(response)
    out = np.empty((n, 2, k), np.float32)
    for start in range(0, n, block):
        count = min(block, n - start)
        part = slice(start, start + count)
        np.copyto(seen[:count], windows[part])
        r, c = response[: count * positions], cut[: count * positions]
        np.matmul(seen[:count].reshape(count * positions, -1), filters, out=r)
        np.maximum(r, above, out=c)
        out[part, :1] = np.matmul(share[part, None], c.reshape(count, positions, k))
        np.minimum(r, below, out=c)
        out[part, 1:] = np.matmul(share[part, None], c.reshape(count, positions, k))
    # relu(r + offset - bias) is max(r, bias - offset) less that bound; weights sum to 1.
    out[:, 0] -= above
    np.subtract(below, out[:, 1], out=out[:, 1])
    return out.reshape(n, 2 * k)


def weights(clear: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """(n, positions) share of each window in the mean over its chip; sums to 1.

    `clear` is (n, y, x); NaN for a chip without a clear pixel.
    """
    margin = size // 2
    n, y, x = clear.shape
    positions = (y - size + 1) * (x - size + 1)
    share = np.full((n, positions), 1 / positions, np.float32)
    masked = np.flatnonzero(~clear.all(axis=(1, 2)))
    if len(masked):
        some = clear[masked]
        centre = some[:, margin : y - margin, margin : x - margin]
        centre = centre.reshape(len(masked), positions)
        whole = _all_clear(some, size).reshape(len(masked), positions)
        few = whole.sum(axis=1) < ENOUGH * centre.sum(axis=1)
        used = np.where(few[:, None], centre, whole).astype(np.float32)
        total = used.sum(axis=1, keepdims=True)
        share[masked] = np.divide(
            used, total, out=np.full_like(used, np.nan), where=total > 0
        )
    return share


def filled(
    pixels: NDArray[np.float32], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Masked pixels (n, y, x, band) become the mean of the chip's clear ones."""
    masked = np.flatnonzero(~clear.all(axis=(1, 2)))
    if len(masked) == 0:
        return pixels
    some, seen = pixels[masked], clear[masked][..., None]
    some = np.where(seen, some, 0)
    # A product adds the pixels of a chip several times as quickly as a reduction.
    flat = some.reshape(len(masked), -1, some.shape[3])
    total = np.matmul(np.ones((1, flat.shape[1]), np.float32), flat)[:, :, None]
    mean = total / np.maximum(seen.sum(axis=(1, 2), keepdims=True), 1)
    whole = pixels.copy()
    whole[masked] = np.where(seen, some, mean)
    return whole


def _all_clear(clear: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """(n, rows, columns) whether all of the window at each position of (n, y, x) is."""
    y, x = clear.shape[1:]
    rows = clear[:, : y - size + 1].copy()
    for step in range(1, size):
        rows &= clear[:, step : step + rows.shape[1]]
    both = rows[:, :, : x - size + 1].copy()
    for step in range(1, size):
        both &= rows[:, :, step : step + both.shape[2]]
    return both


def _windows(pixels: NDArray[_Number], size: int) -> NDArray[_Number]:
    """(n, rows, columns, y, x, band) view of every window of (n, y, x, band)."""
    view: NDArray[_Number] = sliding_window_view(pixels, (size, size), (1, 2))  # type: ignore[call-overload]  # its stubs know one axis only
    return view.transpose(0, 1, 2, 4, 5, 3)
