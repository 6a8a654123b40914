"""Compiled kernels: plain C over arrays, each beside a twin in NumPy that gives the same.

`opened("drift")` is the compiled file of `drift.c`, or None where it was not built or
where the environment says `TERRADRIFT_KERNELS=off`; the caller then takes its twin. A
kernel runs on the thread that calls it and without the interpreter's lock, so callers
share work out over a pool of threads.
"""

import ctypes
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

SWITCH = "TERRADRIFT_KERNELS"


def opened(name: str) -> ctypes.CDLL | None:
    """The compiled kernels of one file, None where they were not built or are off.

    Raises:
        ValueError: the environment variable says neither `on` nor `off`, or no file has
            that name.
        OSError: what was built cannot be loaded.
    """
    if name not in _names():
        raise ValueError(f"no kernels named {name!r}; there are {', '.join(_names())}")
    said = os.environ.get(SWITCH, "on")
    if said not in {"on", "off"}:
        raise ValueError(f"{SWITCH} must be on or off, got {said!r}")
    return _loaded(name) if said == "on" else None


def missing() -> tuple[str, ...]:
    """Kernels that were not built on this machine; their twins in NumPy answer."""
    return tuple(name for name in _names() if _loaded(name) is None)


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.c")))


@cache
def _loaded(name: str) -> ctypes.CDLL | None:
    found = find_spec(f"{__name__}._{name}")
    if found is None or found.origin is None:
        return None
    return ctypes.CDLL(found.origin)
