"""The compiled loops of kernels/search.c, called with addresses: an array's checks cost more."""

from collections.abc import Callable
from ctypes import CDLL, c_double, c_int, c_int64, c_void_p
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift import kernels

_POINTER, _COUNT = c_void_p, c_int64
_TYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "dots": (c_int, (_POINTER, _COUNT, _POINTER, _POINTER, _COUNT, _COUNT, _POINTER)),
    "widen": (None, (_POINTER, _POINTER, _COUNT, _COUNT, _COUNT, _POINTER)),
    "encode": (
        None,
        (_POINTER, _POINTER, _POINTER, _COUNT, _COUNT, _POINTER, _POINTER),
    ),
    "probe": (
        c_int64,
        (
            *[_POINTER] * 8,
            *[_COUNT] * 2,
            _POINTER,
            _COUNT,
            *[_POINTER] * 3,
            _COUNT,
            c_double,
            _POINTER,
            _COUNT,
            c_double,
            _COUNT,
            *[_POINTER] * 3,
        ),
    ),
}


def opened(name: str) -> Callable[..., int] | None:
    """The function of that name, or None where kernels were not built or are off."""
    library = kernels.opened("search")
    return None if library is None else _call(library, name)


@cache
def _call(library: CDLL, name: str) -> Callable[..., int]:
    call = library[name]
    call.restype, call.argtypes = _TYPES[name]
    return call


def at(array: NDArray[Any], type_: type[np.generic]) -> int:
    """The address of an array whose values lie in turn.

    Raises:
        TypeError: they do not, or are of another type.
    """
    if array.dtype != type_ or not array.flags.c_contiguous:
        raise TypeError(f"expected {type_.__name__} in turn, got {array.dtype}")
    return array.ctypes.data
