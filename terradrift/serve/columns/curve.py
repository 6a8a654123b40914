"""Order in which a tile is one run of rows: the Z-order curve (pure).

Like `store.hilbert`, whose cells are quarters of quarters as well, so that a tile of any zoom
is one run on it; made in a twentieth of the time (Morton, 1966).
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from terradrift.serve.columns.mercator import BITS

Keys: TypeAlias = NDArray[np.uint64]

_SPREAD = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
"""Steps that put a zero between any two of 32 bits."""


def keys(x: NDArray[np.integer], y: NDArray[np.integer]) -> Keys:
    """(n,) places on the curve of cells (x, y), each 0 .. 2**32 - 1."""
    return _spread(x) | (_spread(y) << np.uint64(1))


def runs(
    ordered: Keys, zoom: int, x: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(k, 2) first and last-but-one row of each of (k,) tiles, rows being `ordered`."""
    shift = np.uint64(2 * (BITS - zoom))
    first = keys(x, y) << shift
    last = first + ((np.uint64(1) << shift) - np.uint64(1))
    return np.stack(
        [np.searchsorted(ordered, first), np.searchsorted(ordered, last, "right")],
        axis=1,
    )


def _spread(values: NDArray[np.integer]) -> Keys:
    found = values.astype(np.uint64)
    for by, kept in _SPREAD:
        found = (found | (found << np.uint64(by))) & np.uint64(kept)
    return found
