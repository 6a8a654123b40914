"""The compiled kernels of the clustering, where they were built."""

import ctypes
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from terradrift.kernels import opened


@dataclass(frozen=True, slots=True)
class Kernels:
    """The three files of kernels, with their results declared."""

    blocks: ctypes.CDLL
    density: ctypes.CDLL
    linkage: ctypes.CDLL
    widest: int = 2
    """Registers that the search may use: 0 those that all processors have, 1 AVX2, 2
    AVX-512; where the processor has them."""


def kernels() -> Kernels | None:
    """The kernels, or None where one was not built or they are switched off."""
    blocks, density = opened("blocks"), opened("density")
    linkage = opened("linkage")
    if blocks is None or density is None or linkage is None:
        return None
    blocks.blocks_order.restype = ctypes.c_int
    density.density_near.restype = ctypes.c_int
    density.density_leave.restype = ctypes.c_int
    linkage.linkage_join.restype = ctypes.c_int64
    linkage.linkage_condense.restype = ctypes.c_int64
    linkage.linkage_lightest.restype = None
    return Kernels(blocks, density, linkage)


def pointers(*arrays: NDArray[Any]) -> tuple[ctypes.c_void_p, ...]:
    """Where contiguous arrays lie; the caller keeps them meanwhile."""
    for each in arrays:
        if not each.flags.c_contiguous:
            raise ValueError(f"expected a contiguous array, got strides {each.strides}")
    return tuple(ctypes.c_void_p(each.ctypes.data) for each in arrays)


def sizes(*values: int) -> tuple[ctypes.c_int64, ...]:
    """Numbers as the kernels take them."""
    return tuple(ctypes.c_int64(each) for each in values)
