"""Dynamic time warping of paths: distances and barycentres (pure).

Two paths of the same steps are compared along the best way of meeting: each step of one
meets one or more of the other, in order and no more than `band` steps apart (Sakoe and
Chiba 1978); the squared distance is the sum over what meets. A barycentre is the path whose
every step is the mean of what meets it (Petitjean, Ketterlin and Gançarski 2011).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import CDLL, c_int, c_int64
from functools import cache
from typing import Any

import numpy as np
from numpy.ctypeslib import ndpointer
from numpy.typing import NDArray

from terradrift import kernels

SWEEPS = 3
"""Rounds of averaging."""
_CHUNK = 512
"""Series of a task. The same for any number of threads, so that sums are."""
_FAR = np.float32(1e30)


def squared_distances(
    paths: NDArray[np.floating],
    centroids: NDArray[np.floating],
    band: int,
    *,
    threads: int = 1,
) -> NDArray[np.float32]:
    """(n, k) least sums of squared distances along a way, of all pairs.

    Args:
        paths: (n, s, d), finite.
        centroids: (k, s, d), finite.
        band: how many steps apart two that meet may be; s - 1 or more: as many as there are.
        threads: that share the paths.

    Raises:
        ValueError: shapes that do not fit, or `band` below 0.
    """
    rows, middles = _checked(paths, centroids, band)
    n, s, d = rows.shape
    k = len(middles)
    found = np.empty((n, k), np.float32)
    compiled = kernels.opened("dtw")
    if compiled is None:
        for at in range(k):
            found[:, at] = _sums(rows, middles[at], band)[-1][-1]
        return found
    call = _distances(compiled)

    def some(start: int) -> int:
        part = rows[start : start + _CHUNK]
        out = found[start : start + _CHUNK]
        return call(part, middles, len(part), k, s, d, band, out)

    _all(some, range(0, n, _CHUNK), threads)
    return found


def met(
    paths: NDArray[np.floating],
    rows: NDArray[np.int64],
    centroid: NDArray[np.floating],
    band: int,
    *,
    threads: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums (s, d) of the steps of some paths that meet each of a centroid, and counts (s,).

    Of equal ways the one is taken that goes back by both, then by the path.

    Args:
        paths: (n, s, d), finite.
        rows: (m,), which of them.
        centroid: (s, d), finite.
        band: as of `squared_distances`.
        threads: that share the paths.
    """
    all_rows, middle = _checked(paths, np.asarray(centroid)[None], band)
    _, s, d = all_rows.shape
    parts = [
        rows[at : at + _CHUNK].astype(np.int64) for at in range(0, len(rows), _CHUNK)
    ]
    sums = np.zeros((len(parts), s, d))
    counts = np.zeros((len(parts), s), np.int64)
    compiled = kernels.opened("dtw")
    if compiled is None:
        for at, part in enumerate(parts):
            _meet(all_rows[part], middle[0], band, sums[at], counts[at])
        return sums.sum(axis=0), counts.sum(axis=0)
    call = _meets(compiled)

    def some(at: int) -> int:
        part = parts[at]
        return call(
            all_rows, part, middle[0], len(part), s, d, band, sums[at], counts[at]
        )

    _all(some, range(len(parts)), threads)
    return sums.sum(axis=0), counts.sum(axis=0)


def barycentre(
    paths: NDArray[np.floating],
    rows: NDArray[np.int64],
    start: NDArray[np.floating],
    band: int,
    *,
    sweeps: int = SWEEPS,
    threads: int = 1,
) -> NDArray[np.float32]:
    """The path (s, d) that some paths meet, from `start` (s, d) on; `start` where none do."""
    middle = np.asarray(start, np.float32)
    for _ in range(sweeps if len(rows) else 0):
        sums, counts = met(paths, rows, middle, band, threads=threads)
        before, middle = middle, (sums / counts[:, None]).astype(np.float32)
        if np.array_equal(before, middle):
            break
    return middle


def _checked(
    paths: NDArray[np.floating], centroids: NDArray[np.floating], band: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if paths.ndim != 3 or paths.shape[1:] != centroids.shape[1:] or paths.shape[1] < 1:
        raise ValueError(
            "expected paths (n, s, d) and centroids (k, s, d) of the same steps, got "
            f"{paths.shape} and {centroids.shape}"
        )
    if band < 0:
        raise ValueError(f"band must not be negative, got {band}")
    return (
        np.ascontiguousarray(paths, np.float32),
        np.ascontiguousarray(centroids, np.float32),
    )


def _all(some: Callable[[int], int], starts: range, threads: int) -> None:
    with ThreadPoolExecutor(max(1, threads)) as pool:
        if any(pool.map(some, starts)):
            raise MemoryError("no memory left to warp paths")


_ROWS = ndpointer(np.float32, flags="C")


@cache
def _distances(library: CDLL) -> Callable[..., int]:
    call = library["dtw_distances"]
    out = ndpointer(np.float32, flags=("C", "W"))
    call.argtypes = [_ROWS, _ROWS, *[c_int64] * 5, out]
    call.restype = c_int
    return call


@cache
def _meets(library: CDLL) -> Callable[..., int]:
    call = library["dtw_meet"]
    sums, counts = (
        ndpointer(kind, flags=("C", "W")) for kind in (np.float64, np.int64)
    )
    call.argtypes = [
        _ROWS,
        ndpointer(np.int64, flags="C"),
        _ROWS,
        *[c_int64] * 4,
        sums,
        counts,
    ]
    call.restype = c_int
    return call


def _sums(
    paths: NDArray[np.float32], centroid: NDArray[np.float32], band: int
) -> list[list[NDArray[np.float32]]]:
    """The twin of the recursion: least sums (n,) of a way to each pair of steps."""
    s = paths.shape[1]
    far = np.full(len(paths), _FAR)
    sums = [[far] * s for _ in range(s)]
    for a in range(s):
        for b in range(max(0, a - band), min(s, a + band + 1)):
            cost = ((paths[:, a] - centroid[b]) ** 2).sum(axis=1)
            before = [
                sums[a - da][b - db]
                for da, db in ((1, 1), (1, 0), (0, 1))
                if a >= da and b >= db
            ]
            sums[a][b] = cost + np.minimum.reduce(before) if before else cost
    return sums


def _meet(
    paths: NDArray[np.float32],
    centroid: NDArray[np.float32],
    band: int,
    sums: NDArray[Any],
    counts: NDArray[np.int64],
) -> None:
    """The twin of the way back: adds what meets each step of the centroid."""
    least = np.array(_sums(paths, centroid, band))  # (s, s, n)
    for row, path in enumerate(paths):
        a = b = paths.shape[1] - 1
        while True:
            sums[b] += path[a]
            counts[b] += 1
            if a == b == 0:
                break
            corner, up, left = (
                least[a - da, b - db, row] if a >= da and b >= db else _FAR
                for da, db in ((1, 1), (1, 0), (0, 1))
            )
            if corner <= up and corner <= left:
                a, b = a - 1, b - 1
            elif up <= left:
                a -= 1
            else:
                b -= 1
