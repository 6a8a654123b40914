"""Arrays by rows on a device of torch: resident while there is room, else streamed to it."""

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from terradrift.store.layout import Ranges

    Piece = slice | NDArray[np.int64]

CHUNK_ROWS = 1 << 18
"""Rows that are multiplied, or sent to the device, at a time."""

VIEWS = 64
"""More ranges than that are gathered, row by row; fewer are read where they lie."""

_KEPT_FREE = 1 << 30
"""Bytes of a device that are left for products and for others."""


class Resident:
    """What a device holds of arrays; the one that was used longest ago goes first."""

    def __init__(self, device: "torch.device", room: int | None = None) -> None:
        """`room`: bytes that may stay on the device; None: what is free on it."""
        self._device = device
        self._room = room
        self._held: OrderedDict[int, torch.Tensor] = OrderedDict()

    @property
    def bytes(self) -> int:
        """Bytes that are held."""
        return sum(tensor.nbytes for tensor in list(self._held.values()))

    def rows(
        self, array: NDArray[Any], wanted: "list[Piece]"
    ) -> "Iterator[torch.Tensor]":
        """The pieces of an array, on the device."""
        import torch

        held = self._whole(array)
        if held is None:
            yield from self._streamed(array[piece] for piece in wanted)
            return
        for piece in wanted:
            if isinstance(piece, slice):
                yield held[piece]
            else:
                yield held[torch.from_numpy(piece).to(self._device)]

    def _whole(self, array: NDArray[Any]) -> "torch.Tensor | None":
        """The whole array on the device, or None where there is no room for it."""
        import torch

        key = id(array)
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        # A little more, so that what is kept of each row does not push the rows out.
        wanted = array.nbytes + array.nbytes // 16
        if wanted > self._free() + self.bytes:
            return None
        while wanted > self._free():
            self._held.popitem(last=False)
        whole = torch.empty(array.shape, dtype=_dtype(array), device=self._device)
        done = 0
        everything = np.array([[0, len(array)]])
        for part in self._streamed(array[piece] for piece in pieces(everything)):
            whole[done : done + len(part)] = part
            done += len(part)
        self._held[key] = whole
        weakref.finalize(array, self._held.pop, key, None).atexit = False
        return whole

    def _free(self) -> int:
        """Bytes that may be taken on the device."""
        import torch

        if self._room is not None:
            return self._room - self.bytes
        if self._device.type == "cpu":
            return 0  # the rows are in its memory as it is
        free, _ = torch.cuda.mem_get_info(self._device)
        reserved = torch.cuda.memory_reserved(self._device)
        unused = reserved - torch.cuda.memory_allocated(self._device)
        return int(free + unused) - _KEPT_FREE

    def _streamed(self, parts: "Iterator[NDArray[Any]]") -> "Iterator[torch.Tensor]":
        """Parts on the device, one sent while the one before is used."""
        import torch

        if self._device.type == "cpu":
            yield from (torch.from_numpy(np.array(part)) for part in parts)
            return
        used = torch.cuda.current_stream(self._device)
        sending = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch has no types here
        buffers: list[torch.Tensor | None] = [None, None]
        sent = [torch.cuda.Event() for _ in buffers]  # type: ignore[no-untyped-call]  # likewise
        before: torch.Tensor | None = None
        for turn, part in enumerate(parts):
            at = turn % 2
            sent[at].synchronize()
            buffer = buffers[at]
            if buffer is None or len(buffer) < len(part):
                shape, kind = part.shape, _dtype(part)
                buffer = buffers[at] = torch.empty(shape, dtype=kind, pin_memory=True)
            pinned = buffer[: len(part)]
            np.copyto(pinned.numpy(), part)
            with torch.cuda.stream(sending):
                here = pinned.to(self._device, non_blocking=True)
                sent[at].record(sending)
            if before is not None:
                yield before
            used.wait_event(sent[at])
            here.record_stream(used)
            before = here
        if before is not None:
            yield before


def _dtype(array: NDArray[Any]) -> "torch.dtype":
    import torch

    return torch.float16 if array.dtype == np.float16 else torch.float32


def pieces(slices: "Ranges") -> "Iterator[Piece]":
    """Positions of the rows of `slices`, in turn, at most `CHUNK_ROWS` at a time."""
    if len(slices) <= VIEWS:
        for first, last in slices.tolist():
            for start in range(first, last, CHUNK_ROWS):
                yield slice(start, min(start + CHUNK_ROWS, last))
        return
    sizes = slices[:, 1] - slices[:, 0]
    count = int(sizes.sum())
    for start in range(0, count, CHUNK_ROWS):
        yield positions(np.arange(start, min(start + CHUNK_ROWS, count)), slices)


def size(piece: "Piece") -> int:
    """Rows of a piece."""
    return piece.stop - piece.start if isinstance(piece, slice) else len(piece)


def positions(counted: NDArray[np.int64], slices: "Ranges") -> NDArray[np.int64]:
    """Positions of rows that are told by their count through all of `slices`."""
    ends = np.cumsum(slices[:, 1] - slices[:, 0])
    at = np.searchsorted(ends, counted, side="right")
    found: NDArray[np.int64] = counted + (slices[:, 1] - ends)[at]
    return found
