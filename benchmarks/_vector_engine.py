"""What `search.py` asks of an engine."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import _vectors as vectors
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def lists(rows: int) -> int:
    """Lists of an inverted file: 512 below half a million rows, 1,024, 4,096 from 5 million."""
    if rows < 500_000:
        return 512
    return 1024 if rows < 5_000_000 else 4096


class Engine:
    """What is measured. A `way` is one setting; a `filter` a name of `vectors.FILTERS`."""

    ways: tuple[str, ...] = ("",)
    others: tuple[str, ...] = ()
    """Settings asked for k = 10 alone, so that the cheapest that finds enough is among them."""
    exact = False
    grows = True
    """Whether rows can be added to what was built."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder, self.threads = folder, threads

    @cached_property
    def stored(self) -> NDArray[np.float16]:
        return np.load(self.folder / "vectors.npy", mmap_mode="r")

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The stored vectors as float32, of unit length again."""
        for start in range(0, len(self.stored), vectors.BLOCK):
            wide = self.stored[start : start + vectors.BLOCK].astype(np.float32)
            yield wide / np.linalg.norm(wide, axis=1, keepdims=True)

    @property
    def files(self) -> tuple[str, ...]:
        """What `build` leaves in the folder."""
        return ()

    def build(self) -> None:
        """Write what `open` needs."""

    def open(self) -> None:
        """Be ready for searches."""

    def ready(self, name: str) -> None:
        """Prepare a filter, where that is not a part of a search."""

    def search(self, query: NDArray[np.float32], k: int, way: str, name: str) -> Any:
        """The rows found, nearest first."""
        raise NotImplementedError

    def decode(self, found: Any) -> Rows:
        """Positions of the rows that a search found; outside the time of it."""
        return found

    def batch(
        self, queries: NDArray[np.float32], k: int, way: str
    ) -> list[Rows] | None:
        """The same for many queries in one call; None where there is no such call."""

    def add(self, rows: NDArray[np.float32], first: int) -> None:
        """Write rows after the build, at the positions from `first`."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take back what `add` wrote, where others read it too."""
