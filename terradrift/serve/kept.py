"""What was made is kept up to a bound, and made once however many ask for it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

_Made = TypeVar("_Made")


def one(_thing: object) -> int:
    """Counts things."""
    return 1


def nbytes(thing: Any) -> int:  # noqa: ANN401 - arrays, and what is made of them
    """Counts bytes."""
    return int(thing.nbytes)


class Kept:
    """The things that were last asked for, one at least; safe to use from many threads.

    Things of different keys are made side by side.
    """

    def __init__(self, most: int = 64, size: Callable[[Any], int] = one) -> None:
        """Of all that is kept `size` is `most` in sum."""
        self._most, self._size = most, size
        self._sum = 0
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, Future[Any]] = {}
        self._changing = threading.Lock()

    @property
    def size(self) -> int:
        """Of what is kept now."""
        return self._sum

    def get(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What `make` gave for the key; who asks for it meanwhile waits for it.

        Raises: as `make`; then one of those who waited makes it.
        """
        made: _Made
        while True:
            with self._changing:
                if key in self._held:
                    self._held.move_to_end(key)
                    made = self._held[key]
                    return made
                other = self._making.get(key)
                if other is None:
                    own = self._making[key] = Future()
                    break
            if other.exception() is None:
                made = other.result()
                return made
        try:
            made = make()
        except BaseException as error:
            with self._changing:
                del self._making[key]
            own.set_exception(error)
            raise
        with self._changing:
            self._keep(key, made)
            del self._making[key]
        own.set_result(made)
        return made

    def _keep(self, key: Hashable, made: object) -> None:
        self._held[key] = made
        self._sum += self._size(made)
        while self._sum > self._most and len(self._held) > 1:
            _, gone = self._held.popitem(last=False)
            self._sum -= self._size(gone)
