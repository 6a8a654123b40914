"""Novelty LOF of observations against windows of their series, many at once.

It reads k-distances from sorted rows and the densities of the k nearest only, and leaves
to `novelty` the few observations near which distances are equal. By a compiled kernel,
which moves the window along, or by NumPy, over windows as wide as each other.
"""

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift import kernels
from terradrift.detect.novelty import TINY, nearest, novelty

_WINDOW_BYTES = 1 << 20


def sliding(
    apart: NDArray[np.float32],
    row: NDArray[np.int64],
    query: NDArray[np.int64],
    start: NDArray[np.int64],
    width: NDArray[np.int64],
    *,
    k: int = 20,
) -> NDArray[np.float32]:
    """Score `p` observations, each against a window of its series, as `novelty`.

    Args:
        apart: (n, t, t), `distances`.
        row: (p,), the series of each observation.
        query: (p,), its place in the series, outside its window.
        start: (p,), where its window begins.
        width: (p,), 2 or more, observations in the window.
        k: neighbours; one less than the window holds where that is less.

    Returns:
        (p,), as `novelty`.
    """
    compiled = _compiled(apart, (row, query, start, width), k)
    if compiled is None:
        scores = np.empty(len(row), np.float32)
        full = np.zeros(len(row), bool)
    else:
        scores, full = compiled
    for r in np.unique(width if compiled is None else width[full]):
        here = np.flatnonzero(width == r)
        for part in _parts(here, 4 * r * r) if compiled is None else ():
            gaps, among = _window(apart, row[part], query[part], start[part], r)
            scores[part], full[part] = _quick(gaps, among, k)
        # Those near which distances are equal, by the full rule.
        for part in _parts(here[full[here]], 24 * r * r):
            gaps, among = _window(apart, row[part], query[part], start[part], r)
            scores[part] = novelty(gaps, among, np.ones_like(gaps, bool), k)
    return scores


def _compiled(
    apart: NDArray[np.float32], observations: tuple[NDArray[np.int64], ...], k: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """As `_quick` of each window, by the compiled kernel where there is one."""
    library = kernels.opened("novelty")
    if library is None:
        return None
    count = len(observations[0])
    scores, full = np.empty(count, np.float32), np.zeros(count, bool)
    if count == 0:
        return scores, full
    apart = np.ascontiguousarray(apart)
    places = [np.ascontiguousarray(part, dtype=np.int64) for part in observations]
    arrays: list[NDArray[Any]] = [apart, *places, scores, full]
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
    sizes = (count, int(places[-1].max()), k)
    if library.windows(
        pointers[0],
        ctypes.c_int64(apart.shape[1]),
        *pointers[1:5],
        *(ctypes.c_int64(size) for size in sizes),
        *pointers[5:],
    ):
        raise MemoryError("no memory for the windows of a series")
    return scores, full


def _parts(here: NDArray[np.int64], each: int) -> Iterator[NDArray[np.int64]]:
    """(q,) in pieces that take `_WINDOW_BYTES` at `each` bytes apiece."""
    step = max(1, _WINDOW_BYTES // int(each))
    yield from (here[at : at + step] for at in range(0, len(here), step))


def _window(
    apart: NDArray[np.float32],
    row: NDArray[np.int64],
    query: NDArray[np.int64],
    start: NDArray[np.int64],
    r: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(p, r) distances of observations to their windows, and (p, r, r) within these."""
    n, t, _ = apart.shape
    down, right, along = apart.strides
    windows = np.lib.stride_tricks.as_strided(
        apart, (n, t - r + 1, r, r), (down, right + along, right, along)
    )
    inside = start[:, None] + np.arange(r)
    return apart[row[:, None], query[:, None], inside], windows[row, start]


def _quick(
    gaps: NDArray[np.float32], apart: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """As `novelty` with all members, where `apart` has `FAR` on its diagonals.

    Also (n,), where that is not to be used: more than k stand within the k-distance of a
    member, or more than k in one place.
    """
    n, r = gaps.shape
    k = min(k, r - 1)
    k_distance = np.sort(apart, axis=2)[..., k - 1]  # (n, r); quicker than a partition
    gap, near = nearest(gaps, k)
    own = np.take_along_axis(k_distance, near, axis=1)  # (n, k)
    around = apart[np.arange(n)[:, None], near]  # (n, k, r)
    within = (around <= own[..., None]).astype(np.float32)
    reach = np.maximum(around, k_distance[:, None], out=around)
    total = np.einsum("nkr,nkr->nk", within, reach).astype(np.float64)
    density = 1 / (total / k + TINY)
    apiece = np.maximum(gap, own).mean(axis=1, dtype=np.float64) + TINY
    several = within.reshape(n, -1) @ np.ones(k * r, np.float32) != k * k
    scores = (density.mean(axis=1) * apiece).astype(np.float32)
    return scores, several | (k_distance == 0).any(axis=1)
