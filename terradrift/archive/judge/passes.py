"""A model's series as methods take them, read anew for every pass instead of being kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import ArchiveError
from terradrift.evaluate.method import Method
from terradrift.evaluate.ranked import Largest
from terradrift.series import Series
from terradrift.store.series import MAX_BYTES, blocks
from terradrift.store.tables import Store


@dataclass(frozen=True, slots=True)
class Passes(Sequence[Series]):
    """All blocks of a model, of which a few are in memory at a time.

    Blocks are best gone through in order: `passes[9]` reads the nine before it.
    """

    store: Store
    model: str
    max_bytes: int = MAX_BYTES
    """Of the vectors of a block."""

    def __iter__(self) -> Iterator[Series]:
        """Read them all, from the version of the table that there is now."""
        return blocks(self.store, self.model, max_bytes=self.max_bytes)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, at: int) -> Series: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Series]: ...
    def __getitem__(self, at: int | slice) -> Series | Sequence[Series]:
        if isinstance(at, slice):
            return list(self)[at]
        return next(islice(self, range(len(self))[at], None))


def scores(
    methods: Sequence[Method], series: Sequence[Series]
) -> tuple[NDArray[np.int64], list[NDArray[np.float32]]]:
    """Cells (n, 3) of all patches, and what each method scores them (n,).

    Methods that see each patch by itself share one pass; the others make their own, and
    detectors of whole scenes hold all vectors at once.

    Raises:
        ArchiveError: the series became others between passes.
    """
    apart = [one for one in methods if isinstance(one, Largest) and one.by_block]
    cells: list[NDArray[np.int64]] = [np.zeros((0, 3), np.int64)]
    parts: list[list[NDArray[np.float32]]] = [[] for _ in apart]
    for block in series:
        cells.append(block.cells)
        for method, told in zip(apart, parts, strict=True):
            told.append(method.judge([block]).score)
    ground = np.concatenate(cells)
    whole = {
        one.name: np.concatenate([np.zeros(0, np.float32), *told])
        for one, told in zip(apart, parts, strict=True)
    }
    found = [
        whole[one.name] if one.name in whole else one.judge(series).score
        for one in methods
    ]
    for one, score in zip(methods, found, strict=True):
        if len(score) != len(ground):
            raise ArchiveError(
                f"expected {len(ground):,} patches for {one.name}, got {len(score):,}: "
                "observations were added meanwhile; run it again"
            )
    return ground, found
