"""Regions and searches by names: what a visitor made once and speaks of in later questions."""

import threading
from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from terradrift.serve.faults import Gone

Thing = TypeVar("Thing")

MOST = 256
"""Of each sort; the one that was longest not asked for goes first."""


class Matches(Protocol):
    """What a search found: `k` changes, best first."""

    @property
    def change_ids(self) -> list[str]:
        """(k,), each once. Ids, not rows: a search outlives the generation it was made in."""

    @property
    def distances(self) -> NDArray[np.float32]:
        """(k,), ascending."""


class Named(Generic[Thing]):
    """Keeps things by name, up to `most`; safe to use from many threads."""

    def __init__(self, what: str, again: str, most: int = MOST) -> None:
        """`what` it keeps, and how a visitor gets one `again`, for what is said of a lost one."""
        self._what, self._again, self._most = what, again, most
        self._held: OrderedDict[str, Thing] = OrderedDict()
        self._changing = threading.Lock()

    def keep(self, name: str, thing: Thing) -> str:
        """Keep it under `name`, and give the name back.

        The same question should get the same name (a digest of what was asked), so that
        masks and tiles are found again; one name always means one thing.
        """
        with self._changing:
            self._held[name] = thing
            self._held.move_to_end(name)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return name

    def get(self, name: str) -> Thing:
        """The thing of that name.

        Raises:
            Gone: it is not kept, or not any more.
        """
        with self._changing:
            if name in self._held:
                self._held.move_to_end(name)
                return self._held[name]
        raise Gone(f"{self._what} {name:.40} is not kept any more; {self._again}")
