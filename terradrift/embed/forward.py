"""A network's forward pass at the speed of the device.

By measurement (PyTorch on one thread of a CPU with bfloat16): autocast with the weights cast
once by freezing the graph, convolutions with channels last; calls of 4 to 32 chips are alike.
Several threads run one graph, and its weights, at the same time.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from terradrift.embed.forward_graph import Graph, checked, computing, graph

if TYPE_CHECKING:
    from terradrift.embed.network import Network

FIRST = 2
"""Chips that suffice to decide how to run."""
_SHAPES = 4
"""Shapes of chips for which a graph is kept; more means that they are ragged."""
_LIVE = 4
"""Tensors as large as the largest that are alive at once, about."""
_ACTIVATIONS = {"cpu": 256 << 20, "cuda": 8 << 30}
"""Bytes that the tensors of one call may take, about."""


@dataclass(eq=False)
class Forward:
    """Runs a network on prepared chips; safe to call from several threads."""

    network: Network
    device: torch.device
    bf16: bool
    _graphs: dict[object, Graph] = field(default_factory=dict, init=False)
    _rows: int = field(default=FIRST, init=False)
    _halved: bool = field(default=False, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        self._channels_last = _mostly_convolutions(self.network)
        if self._channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # its stubs lack it

    @property
    def decided(self) -> bool:
        """Whether it has run, and knows how."""
        return bool(self._graphs)

    @property
    def rows(self) -> int:
        """Chips that should be prepared and run together at most; grows after the first."""
        return self._rows

    @property
    def how_run(self) -> str:
        """How the network is run, for people; complete once it has run."""
        words = [str(self.device), "bfloat16" if self.bf16 else "float32"]
        if self._channels_last:
            words.append("channels last")
        reasons = sorted({made.why_not for made in self._graphs.values()})
        words += [
            f"as it is: {reason}" if reason else "frozen graph" for reason in reasons
        ]
        if self._graphs:
            words.append(f"{self._rows} chips at a time")
        return ", ".join(words)

    def __call__(self, prepared: tuple[Tensor, ...]) -> Tensor:
        """Vectors of the network, float32, for the tensors of its `prepare`."""
        if self._channels_last:
            prepared = tuple(
                given.contiguous(memory_format=torch.channels_last)
                if given.ndim == 4
                else given
                for given in prepared
            )
        run = self._graph(prepared).run
        with computing(self.device, bf16=self.bf16):
            return run(*prepared).float()

    def halve(self, rows: int, error: RuntimeError) -> None:
        """Go on with half as many chips after memory ran out with `rows` of them, once.

        Raises:
            ValueError: it ran out again, or with one chip.
        """
        with self._lock:
            if rows > self._rows:  # another thread has halved it meanwhile
                return
            if self._halved or rows < 2:
                raise ValueError(
                    f"the memory of {self.device} does not hold {rows} chips at a time; "
                    "choose smaller chips (--chip-size), a smaller model, or --device cpu"
                ) from error
            self._halved = True
            self._rows = rows // 2
        print(  # noqa: T201 - words for people go to stderr
            f"embed: the memory of {self.device} does not hold {rows} chips at a time; "
            f"going on with {rows // 2}",
            file=sys.stderr,
            flush=True,
        )

    def _graph(self, prepared: tuple[Tensor, ...]) -> Graph:
        key = tuple((given.shape[1:], given.dtype) for given in prepared)
        with self._lock:
            made = self._graphs.get(key) or self._made(prepared)
            if not made.why_not and made.checked < len(prepared[0]):
                made = checked(made, self.network, prepared, bf16=self.bf16)
            self._graphs[key] = made
            return made

    def _made(self, prepared: tuple[Tensor, ...]) -> Graph:
        if len(self._graphs) >= _SHAPES:
            return Graph(self.network, "its chips are of many shapes", 1)
        made = graph(self.network, prepared, bf16=self.bf16)
        if not self._halved:
            fitting = _ACTIVATIONS[self.device.type] // (_LIVE * made.chip_bytes)
            first = not self._graphs
            self._rows = max(1, fitting if first else min(fitting, self._rows))
        return made


def _mostly_convolutions(network: nn.Module) -> bool:
    """Whether most weights are kernels of images, which are quicker with channels last."""
    kernels = [
        module.weight.numel()
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    return 2 * sum(kernels) > sum(p.numel() for p in network.parameters())
