"""Analogues by the compiled kernel `analogue.c`; `analogue` has the twin in NumPy."""

from ctypes import CDLL, c_int, c_int64
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.ctypeslib import ndpointer
from numpy.typing import NDArray

_ROOM = 4
"""Values of room per control besides its vector."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is wanted of the kernel."""

    own: NDArray[np.int64]
    """(n,), place of each patch in the pool, -1 where it is not in it."""
    columns: NDArray[np.int64]
    """(t,), place of the dates among the pool's."""
    wanted: NDArray[np.int64]
    """(t,), how many controls of each date; 0: none."""
    most: int
    """The largest number of controls."""


def nearest(
    kernel: CDLL,
    patches: tuple[NDArray[np.float32], NDArray[np.bool_]],
    pool: tuple[NDArray[np.float32], NDArray[np.bool_]],
    asked: Asked,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Places (n, t, most) in the pool of the nearest histories, and mean squared distances.

    `patches` are vectors (n, t, r) and where (n, t) they are clear, `pool` likewise, of its
    own dates. -1 and infinity where there are fewer.

    Raises:
        MemoryError: no memory.
    """
    (n, t), r = patches[1].shape, patches[0].shape[2]
    index = np.full((n, t, asked.most), -1, np.int32)
    mean = np.full((n, t, asked.most), np.inf, np.float32)
    controls, _ = _functions(kernel)
    failed = controls(
        np.ascontiguousarray(patches[0], np.float32),
        np.ascontiguousarray(patches[1]),
        np.ascontiguousarray(pool[0], np.float32),
        np.ascontiguousarray(pool[1]),
        np.ascontiguousarray(asked.columns, np.int64),
        np.ascontiguousarray(asked.own, np.int64),
        np.ascontiguousarray(asked.wanted, np.int64),
        *(n, t, r, *pool[1].shape, asked.most),
        index,
        mean,
    )
    if failed:
        raise MemoryError(f"no memory to compare {n} patches with {len(pool[1])}")
    return index, mean


def middles(
    kernel: CDLL,
    index: NDArray[np.integer],
    weight: NDArray[np.float32],
    pool: NDArray[np.float32],
    date: tuple[int, int],
) -> NDArray[np.float32]:
    """(m, r) weighted geometric medians of controls (m, k) of the pool (p, t, r).

    `date` are the number of the date among the pool's, and the steps of the iteration.
    """
    (m, k), (_, t, r) = index.shape, pool.shape
    column, steps = date
    middle = np.empty((m, r), np.float32)
    _, medians = _functions(kernel)
    medians(
        np.ascontiguousarray(index, np.int32),
        np.ascontiguousarray(weight, np.float32),
        np.ascontiguousarray(pool, np.float32),
        *(column, m, k, r, t, steps),
        np.empty(k * (r + _ROOM), np.float32),
        middle,
    )
    return middle


@cache
def _functions(kernel: CDLL) -> tuple[Any, Any]:
    floats, flags = (ndpointer(kind, flags="C") for kind in (np.float32, np.bool_))
    places, near = (ndpointer(kind, flags="C") for kind in (np.int64, np.int32))
    kernel.controls.argtypes = [
        *[floats, flags] * 2,
        *[places] * 3,
        *[c_int64] * 6,
        *(near, floats),
    ]
    kernel.controls.restype = c_int
    kernel.middles.argtypes = [near, *[floats] * 2, *[c_int64] * 6, *[floats] * 2]
    kernel.middles.restype = None
    return kernel.controls, kernel.middles
