"""Scene classification, QA bits or a mask asset to clear pixels (pure).

True means clear: the ground can be seen. What is not clear:

* `mask:scl` (Sen2Cor): 0 no data, 1 saturated, 3 cloud shadow, 8 and 9 cloud, 10 cirrus,
  11 snow. Snow hides the ground and comes and goes with the weather, so it never counts as
  ground to compare. 2 (dark) and 7 (unclassified) are clear: Sen2Cor puts burnt ground,
  dark water and new surfaces there, which is what change looks like.
* `mask:qa_pixel` (Landsat): fill, dilated cloud, cirrus, cloud, cloud shadow, snow.
* `mask:named`: whatever is not zero.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SourceError

_SCL_CLEAR = (2, 4, 5, 6, 7)

# Landsat Collection 2 QA_PIXEL (USGS LSDS-1619): fill, dilated cloud, cirrus, cloud,
# shadow, snow are bits 0 to 5; the confidence bits 8 to 15 are never all low, so that every
# pixel but fill is at least 4096 (Landsat 4-7: 5440 when clear; 8-9: 21824).
_C2_NOT_CLEAR = 0b111111
_C2_LOWEST = 4096
# Landsat Collection 1 pixel_qa (USGS LSDS-1873): fill 0, clear 1, water 2, shadow 3, snow 4,
# cloud 5, cirrus confidence 8 and 9 (both: high), terrain occlusion 10; bits 11 to 15 are
# unused, so that every pixel is below 2048.
_C1_NOT_CLEAR = 0b100_0011_1001
_C1_CIRRUS = 0b11_0000_0000
_C1_SEEN = 0b11_1111_1110
_QA_BITS = 16


def clear(kind: str, values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which pixels are clear, by a mask of `kind` with these values; same shape.

    `kind` is `mask:scl`, `mask:qa_pixel` or `mask:named`.

    Raises:
        SourceError: no such kind, or values of a type that the kind cannot have.
    """
    if kind == "mask:named":
        zero: NDArray[np.bool_] = values == 0
        return zero
    if kind not in ("mask:scl", "mask:qa_pixel"):
        raise SourceError(
            f"expected a mask of kind mask:scl, mask:qa_pixel or mask:named, got {kind!r}"
        )
    if values.dtype.kind not in "ui":
        raise SourceError(
            f"{kind} holds whole numbers, got {values.dtype}; "
            "pass --mask with the name of another asset, or --mask none"
        )
    numbers = values.astype(np.int64)
    return _scl(numbers) if kind == "mask:scl" else _qa_pixel(numbers)


def _scl(classes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Clear pixels by class; a class that Sen2Cor does not have is not clear."""
    clear: NDArray[np.bool_] = _SCL[np.where(classes < 0, 0, np.minimum(classes, 255))]
    return clear


def _qa_pixel(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Clear pixels by QA_PIXEL of Collection 2 or pixel_qa of Collection 1.

    The two give different meanings to the same bits, but their values do not overlap
    (Collection 1 ends below 2048, Collection 2 starts at 4096), so each pixel says itself
    which it is. Zero and what neither has are not clear.
    """
    bits = values & ((1 << _QA_BITS) - 1)
    second = (bits >= _C2_LOWEST) & (bits & _C2_NOT_CLEAR == 0)
    first = (bits & _C1_SEEN != 0) & (bits & _C1_NOT_CLEAR == 0)
    first &= (bits < 2048) & (bits & _C1_CIRRUS != _C1_CIRRUS)
    either: NDArray[np.bool_] = second | first
    return either


def _lookup() -> NDArray[np.bool_]:
    table = np.zeros(256, bool)
    table[list(_SCL_CLEAR)] = True
    return table


_SCL = _lookup()
