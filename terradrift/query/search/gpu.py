"""Exact nearest vectors on a device of torch: one pass over half-precision rows.

The rows stay on the device while there is room, else they are streamed through two pinned
buffers. A query goes as the sum of two half-precision vectors, so that products of halves,
summed in single precision, are those of a query in single precision; the bound of their error
says which rows may be among the k nearest, and `index.exact.measure` has the last word about
them in float64. So the answer is that of the processor, ties too.
"""

import threading
import weakref
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terradrift.query.index.exact import Vectors, measure
from terradrift.query.index.rows import gamma
from terradrift.query.search import resident
from terradrift.query.search.nearest import Query

if TYPE_CHECKING:
    import torch

    from terradrift.store.layout import Ranges


_LOW = 2.0**11
"""What the second half of a query is multiplied by, so that it is no subnormal number."""

_WIDTH = 8
"""Columns of a product come in eights: what the units for matrices take."""


def available() -> str | None:
    """The device to search on: `cuda` where torch is new enough and sees one, else None."""
    try:
        import torch
    except ImportError:
        return None
    return "cuda" if torch.cuda.is_available() and _sums_in_single() else None


def _sums_in_single() -> bool:
    """Whether torch multiplies halves into float32 on a GPU: it does from 2.8 on."""
    import torch

    overloads = torch.ops.aten.mm.overloads()  # type: ignore[no-untyped-call]  # torch has no types here
    return "dtype" in overloads


def nearest_on(
    device: str, vectors: Vectors, query: Query, k: int, slices: "Ranges"
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Positions (m,) and cosine distances (m,) of rows of `slices` (s, 2), as `exact.search`.

    These are the k nearest, and any as near as the k-th; they stand in no order.

    Raises:
        ValueError: torch has no such device, or is older than 2.8 (for `cuda`).
    """
    return nearest_of(device, vectors, [query], k, slices)[0]


def nearest_of(
    device: str, vectors: Vectors, queries: Sequence[Query], k: int, slices: "Ranges"
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """The same for several queries of one frame, in one pass over the rows."""
    place = _place(device)
    found = place.candidates(vectors, queries, k, slices)
    return [
        measure(vectors, query, positions, k)
        for query, positions in zip(queries, found, strict=True)
    ]


@cache
def _place(device: str) -> "Place":
    return Place(device)


class Place:
    """A device and the rows that it holds, the last used first to stay."""

    def __init__(self, device: str, room: int | None = None) -> None:
        """`room`: bytes of vectors that may stay on the device; None: what is free."""
        import torch

        self._device = torch.device(device)
        if self._device.type == "cuda":
            if not torch.cuda.is_available():
                raise ValueError(f"torch sees no CUDA device, got device={device!r}")
            if not _sums_in_single():
                raise ValueError(
                    "searching on a GPU needs torch 2.8 or newer, this is "
                    f"{torch.__version__}; update torch"
                )
        self._resident = resident.Resident(self._device, room)
        self._slacks: weakref.WeakKeyDictionary[Vectors, NDArray[np.float32]]
        self._slacks = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Bytes of arrays that are on the device."""
        return self._resident.bytes

    def candidates(
        self, vectors: Vectors, queries: Sequence[Query], k: int, slices: "Ranges"
    ) -> list[NDArray[np.int64]]:
        """For each query the ascending positions of all rows that may be among its k nearest."""
        import torch

        slices = slices[slices[:, 0] < slices[:, 1]]
        if not len(slices):
            return [np.empty(0, np.int64) for _ in queries]
        with self._lock, torch.inference_mode():
            pieces = list(resident.pieces(slices))
            distances = self._distances(vectors, queries, pieces)
            slack = self._slack(vectors, pieces)
            found = []
            for own in distances:
                near = torch.isfinite(own)
                if k < len(own):
                    most = torch.topk(own + slack, k, largest=False, sorted=False)
                    near &= own - slack <= most.values.max()
                near = torch.nonzero(near)
                found.append(resident.positions(near[:, 0].cpu().numpy(), slices))
        return found

    def _distances(
        self, vectors: Vectors, queries: Sequence[Query], pieces: "list[resident.Piece]"
    ) -> "torch.Tensor":
        """(queries, rows of the pieces), float32; infinite where a row has no direction."""
        import torch

        turned = [vectors.frame.turn(query.vectors) for query in queries]
        count = sum(map(resident.size, pieces))
        dots = torch.zeros((len(queries), count), device=self._device)
        for column, flat in enumerate(vectors.flats):
            asked = np.stack([t.vectors[column] for t in turned])
            halves, scale = self._halves(asked)
            done = 0
            for rows in self._resident.rows(flat.vectors, pieces):
                to = slice(done, done + len(rows))
                dots[:, to] += scale * self._product(rows, halves, len(queries))
                done = to.stop
        offsets = torch.tensor([t.offset for t in turned], device=self._device)
        lengths = torch.cat(list(self._resident.rows(vectors.lengths, pieces)))
        distances = 1 - (dots - offsets[:, None]) / lengths
        return torch.where(lengths > 0, distances, torch.inf)

    def _halves(
        self, queries: NDArray[np.float32]
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """(d, 2 q, in eights) float16: the queries (q, d) rounded, then what that left out.

        And (q, 1) what their products are to be multiplied by: powers of two, that bring
        the largest number of a query to between 1/2 and 1.
        """
        import torch

        _, exponents = np.frexp(np.abs(queries).max(axis=1, keepdims=True))
        wide = np.ldexp(queries, -exponents)
        high = wide.astype(np.float16)
        low = ((wide - high.astype(np.float32)) * _LOW).astype(np.float16)
        halves = np.concatenate([high, low])
        eights = -(-len(halves) // _WIDTH) * _WIDTH
        halves = np.pad(halves, ((0, eights - len(halves)), (0, 0))).T
        scale = np.ldexp(np.float32(1), exponents)
        return (
            torch.from_numpy(np.ascontiguousarray(halves)).to(self._device),
            torch.from_numpy(scale).to(self._device),
        )

    def _product(
        self, rows: "torch.Tensor", halves: "torch.Tensor", queries: int
    ) -> "torch.Tensor":
        """(queries, n) inner products, summed in float32."""
        import torch

        if self._device.type == "cpu":
            found = rows.float() @ halves.float()
        else:
            found = torch.mm(rows, halves, out_dtype=torch.float32)
        return (found[:, :queries] + found[:, queries : 2 * queries] / _LOW).T

    def _slack(
        self, vectors: Vectors, pieces: "list[resident.Piece]"
    ) -> "torch.Tensor | float":
        """What `Vectors.slack` says, for sums in any order and by truncation."""
        import torch

        dimensions = vectors.frame.dimensions
        worse = (dimensions + 32) * 2.0**-22 / gamma(dimensions)
        if vectors.frame.space is None:
            return float(vectors.slack(slice(0, 0))[0]) * worse
        if vectors not in self._slacks:
            with np.errstate(divide="ignore", invalid="ignore"):
                whole = np.asarray(vectors.slack(slice(None)) * worse, np.float32)
            self._slacks[vectors] = np.nan_to_num(whole, nan=0.0)
        return torch.cat(list(self._resident.rows(self._slacks[vectors], pieces)))
