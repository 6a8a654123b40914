"""Answers that are kept until what they are made of changes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

_Made = TypeVar("_Made")


class Kept:
    """The newest `most` answers by their keys; each is made once, whoever asks."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._making = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What `make` gave for the key; who asks for it meanwhile waits."""
        with self._making:
            if key not in self._made:
                self._made[key] = make()
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            made: _Made = self._made[key]
            return made
