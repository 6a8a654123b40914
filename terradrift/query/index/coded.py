"""Codes of rows in the order in which they stand, and laying them out by list (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from terradrift.query.index import kernel
from terradrift.query.index.codes import ROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Coded:
    """Codes in the order of positions; list -1 where a row has no direction."""

    list: NDArray[np.int32]
    codes: NDArray[np.uint64]
    factors: NDArray[np.float32]
    lengths: NDArray[np.float32]

    def sizes(self, lists: int) -> NDArray[np.int64]:
        """Rows of each list."""
        return np.bincount(self.list[self.list >= 0], minlength=lists)

    def lay_out(self, room: dict[str, NDArray[Any]], starts: NDArray[np.int64]) -> None:
        """Put the rows of each list, in their order, into its blocks."""
        words = self.codes.shape[1]
        order = np.argsort(self.list, kind="stable").astype(np.int32)
        order = order[np.searchsorted(self.list[order], 0) :]
        lists = self.list[order]
        first = np.searchsorted(lists, np.arange(len(starts) - 1))
        block = room["codes"].view(np.uint64).reshape(-1, words, ROWS)
        room["positions"][:] = -1
        room["factors"][:, 1] = -np.inf
        for start in range(0, len(order), 1 << 16):
            rows = order[start : start + (1 << 16)]
            of = lists[start : start + (1 << 16)]
            place = np.arange(start, start + len(rows)) - first[of]
            at, lane = starts[of] + place // ROWS, place % ROWS
            block[at, :, lane] = self.codes[rows]
            room["factors"][at, :, lane] = self.factors[rows]
            room["positions"][at, lane] = rows


def encode(
    rows: NDArray[np.float32],
    list_: NDArray[np.int32],
    centroids: NDArray[np.float32],
    out: NDArray[np.uint64],
    factors: NDArray[np.float32],
) -> None:
    """Codes (n, w) and factors (n, 2) of rows (n, r) in the lists (n,)."""
    call = kernel.opened("encode")
    if call is None:
        _encode_twin(rows, list_, centroids, out, factors)
        return
    call(
        kernel.at(rows, np.float32),
        kernel.at(list_, np.int32),
        kernel.at(centroids, np.float32),
        *rows.shape,
        kernel.at(out, np.uint64),
        kernel.at(factors, np.float32),
    )


def _encode_twin(
    rows: NDArray[np.float32],
    list_: NDArray[np.int32],
    centroids: NDArray[np.float32],
    out: NDArray[np.uint64],
    factors: NDArray[np.float32],
) -> None:
    apart = rows - centroids[list_]
    above = np.zeros((len(rows), 64 * out.shape[1]), bool)
    above[:, : rows.shape[1]] = apart > 0
    out[:] = np.packbits(above, axis=1, bitorder="little").view("<u8")
    sizes = np.abs(apart).sum(axis=1)
    squares = np.einsum("nd,nd->n", apart, apart)
    factors[:, 0] = np.divide(squares, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    factors[:, 1] = np.einsum("nd,nd->n", apart, centroids[list_])
