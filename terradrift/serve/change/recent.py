"""What was made lately and may be asked for again, up to so many; safe in many threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Made = TypeVar("_Made")


class Recent(Generic[_Key, _Made]):
    """Keeps the `most` that were asked for last; two threads may make the same at once."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most}")
        self._most = most
        self._held: OrderedDict[_Key, _Made] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key, make: Callable[[], _Made]) -> _Made:
        """What is kept under `key`, or what `make` gives, which is kept."""
        found = self.find(key)
        return self.put(key, make()) if found is None else found

    def find(self, key: _Key) -> _Made | None:
        """What is kept under `key`; None where nothing is."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key]

    def put(self, key: _Key, made: _Made) -> _Made:
        """Keep it; what was asked for longest ago goes."""
        with self._lock:
            self._held[key] = made
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return made
