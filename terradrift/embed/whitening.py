"""Windows of clear pixels, and what makes their numbers comparable (pure)."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from terradrift.threads import single_blas


def moments(
    pixels: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation (band,) of (n, band, y, x) over clear pixels.

    A band that never varies gets 1, so that it can be divided by.

    Raises:
        ValueError: no clear pixel, or no band varies.
    """
    clear = np.isfinite(pixels).all(axis=1)
    if not clear.any():
        raise ValueError("kernels are drawn from clear pixels, but the sample has none")
    values = pixels.transpose(1, 0, 2, 3)[:, clear]
    mean = values.mean(axis=1, dtype=np.float64)
    deviation = values.std(axis=1, dtype=np.float64)
    varies = deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    if not varies.any():
        raise ValueError(
            "kernels are drawn from pixels that differ, but every clear pixel of the "
            f"sample is {', '.join(f'{value:g}' for value in mean)}"
        )
    return mean.astype(np.float32), np.where(varies, deviation, 1).astype(np.float32)


def draw(
    pixels: NDArray[np.float32], size: int, count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(at most `count`, band, size, size) windows without a masked pixel, in random order.

    Raises:
        ValueError: there is none.
    """
    if min(pixels.shape[2:]) < size:
        raise ValueError(
            f"kernels of {size} x {size} pixels are drawn from chips at least as large, "
            f"got {pixels.shape[2]} x {pixels.shape[3]}"
        )
    clear: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(pixels), axis=1)
    whole = _view(clear, size).all(axis=(3, 4))
    places = np.flatnonzero(whole)
    if len(places) == 0:
        raise ValueError(
            f"kernels are drawn from windows of {size} x {size} clear pixels, but the "
            "sample has none; ingest clearer scenes"
        )
    chosen = rng.choice(places, min(count, len(places)), replace=False)
    n, y, x = np.unravel_index(chosen, whole.shape)
    steps = np.arange(size)
    drawn: NDArray[np.float32] = pixels[
        n[:, None, None, None],
        np.arange(pixels.shape[1])[:, None, None],
        (y[:, None] + steps)[:, None, :, None],
        (x[:, None] + steps)[:, None, None, :],
    ]
    return drawn


def _view(clear: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    view: NDArray[np.bool_] = sliding_window_view(clear, (size, size), (1, 2))  # type: ignore[call-overload]  # its stubs know one axis only
    return view


def zca(
    windows: NDArray[np.float32], regularisation: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (m,) and symmetric whitening matrix (m, m) of (n, m) windows.

    `regularisation` times the mean variance is added to every variance, so that directions
    that hold nothing but noise stay small.
    """
    mean = windows.mean(axis=0, dtype=np.float64)
    centred = windows - mean
    with single_blas():
        values, vectors = np.linalg.eigh(centred.T @ centred / len(windows))
    values = np.maximum(values, 0)
    floor = regularisation * values.mean() or 1.0
    matrix = (vectors / np.sqrt(values + floor)) @ vectors.T
    return mean.astype(np.float32), matrix.astype(np.float32)
