"""What was made is kept up to so many bytes, and made once however many ask for it.

Unlike `serve.kept.Kept` it counts bytes, and things of different keys are made side by side.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class _Measured(Protocol):
    @property
    def nbytes(self) -> int: ...


Thing = TypeVar("Thing", bound="_Measured | bytes")


class Sized(Generic[Thing]):
    """The things that were last asked for, one at least; safe to use from many threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._held: OrderedDict[Hashable, Thing] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._changing = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that are held now."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """What `make` gave for the key; who asks for it meanwhile waits for it."""
        with self._changing:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            alone = self._making.setdefault(key, threading.Lock())
        with alone:
            with self._changing:
                if key in self._held:
                    return self._held[key]
            try:
                made = make()
                with self._changing:
                    self._keep(key, made)
            finally:
                with self._changing:
                    self._making.pop(key, None)
        return made

    def _keep(self, key: Hashable, made: Thing) -> None:
        self._held[key] = made
        self._bytes += _bytes(made)
        while self._bytes > self._most and len(self._held) > 1:
            _, gone = self._held.popitem(last=False)
            self._bytes -= _bytes(gone)


def _bytes(thing: "_Measured | bytes") -> int:
    return len(thing) if isinstance(thing, bytes) else int(thing.nbytes)
