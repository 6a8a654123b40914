"""A network's forward pass as a frozen graph, where that gives the same as the network.

A graph is recorded from one run, so it is right only for a network that never looks at the
numbers it computes with; that is watched, and the graph is held to the network's own answers
whenever more chips come than ever before.
"""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from terradrift.embed.device import out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from terradrift.embed.network import Network

_TOLERANCE = {False: 1e-4, True: 3e-2}
"""Largest relative distance of a vector to the network's own, in float32 and in bfloat16: a
cosine of 0.9999 is a distance of 0.014, and both sides may be as far from float32."""
_READS = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
_READS_UNSEEN = ("to a Python list", "to a NumPy array")
"""Warnings of the tracer about readings that are no operators."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """How to run the network on chips of one shape."""

    run: Callable[..., Tensor]
    why_not: str
    """Why the network itself is run; empty for a frozen graph."""
    chip_bytes: int
    """Bytes per chip of the largest tensor that the network makes."""
    checked: int = 0
    """Most chips at a time for which the graph gave what the network gives."""


def graph(network: Network, prepared: tuple[Tensor, ...], *, bf16: bool) -> Graph:
    """The frozen graph of the network for inputs such as `prepared`, or the network itself.

    Call it in inference mode. Costs some runs on one and two chips.
    """
    one, two = (_rows(prepared, count) for count in (1, 2))
    # In inference mode composed operators are seen whole, and without their autocast.
    with torch.inference_mode(mode=False), torch.no_grad():
        plain = tuple(given.clone() for given in two)
        with computing(two[0].device, bf16=bf16), _Watch() as watch:
            expected = network(*plain)
    largest = max(watch.largest // 2, 1)
    if watch.read:
        return Graph(network, f"it reads numbers ({watch.read})", largest)
    frozen, reason = _frozen(network, two, bf16=bf16)
    if frozen is None:
        return Graph(network, reason, largest)
    with computing(two[0].device, bf16=bf16):
        differs = _differs(frozen, two, expected, _TOLERANCE[bf16])
    if differs:
        return Graph(network, differs, largest)
    made = Graph(frozen, "", largest, checked=2)
    return checked(made, network, one, bf16=bf16)


def checked(
    made: Graph, network: Network, prepared: tuple[Tensor, ...], *, bf16: bool
) -> Graph:
    """The graph after a run beside the network on as many chips; call in inference mode."""
    if made.why_not:
        return made
    with computing(prepared[0].device, bf16=bf16):
        differs = _differs(made.run, prepared, network(*prepared), _TOLERANCE[bf16])
    if differs:
        return Graph(network, differs, made.chip_bytes)
    return replace(made, checked=max(made.checked, len(prepared[0])))


def computing(device: torch.device, *, bf16: bool) -> AbstractContextManager[object]:
    """Autocast to bfloat16, or none whatever was switched on outside.

    LayerNorm, softmax and sums stay in float32 under autocast.
    """
    # A cache of cast weights would be recorded into a graph as one cast of the first use.
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16, cache_enabled=bf16)


def _frozen(
    network: Network, prepared: tuple[Tensor, ...], *, bf16: bool
) -> tuple[Callable[..., Tensor] | None, str]:
    """The graph, or None and why there is none."""
    device = prepared[0].device
    cast = (
        torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
        if bf16
        else nullcontext()
    )
    # The only runtime without Python and compiler is marked as deprecated by torch 2.10.
    with warnings.catch_warnings(record=True) as said, cast:
        warnings.simplefilter("always")
        try:
            traced = torch.jit.trace(network, prepared, check_trace=False)  # type: ignore[no-untyped-call] # torch has no types for it
            frozen: Callable[..., Tensor] = torch.jit.freeze(traced)
        except (RuntimeError, TypeError) as error:
            if isinstance(error, RuntimeError) and out_of_memory(error):
                raise
            return None, f"no graph of it can be made: {str(error).splitlines()[0]}"
    for warning in said:
        if any(words in str(warning.message) for words in _READS_UNSEEN):
            return None, f"it reads numbers ({warning.filename.rpartition('/')[2]})"
    return frozen, ""


def _rows(prepared: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
    """`count` chips, the given ones again where there are fewer."""
    index = torch.arange(count) % len(prepared[0])
    return tuple(given[index.to(given.device)] for given in prepared)


def _differs(
    frozen: Callable[..., Tensor],
    prepared: tuple[Tensor, ...],
    true: Tensor,
    tolerance: float,
) -> str:
    """How the graph differs from what the network gave; empty where it does not."""
    try:
        got = frozen(*prepared)
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        return "its graph is of one number of chips"
    if got.shape != true.shape:
        return "its graph is of one number of chips"
    if bool((got.isnan() == true.isnan()).all()):
        a, b = (one.float().nan_to_num().flatten(1) for one in (got, true))
        if bool(((a - b).norm(dim=1) <= tolerance * b.norm(dim=1) + 1e-12).all()):
            return ""
    return "its graph gives other numbers"


def _by_position(func: Any, args: tuple[Any, ...]) -> bool:  # noqa: ANN401 - an operator
    """Whether it picks by position, whose count is known; a mask must be counted."""
    if func is not torch.ops.aten.index.Tensor:
        return False
    positions = [one for one in args[1] if one is not None]
    return all(one.dtype not in (torch.bool, torch.uint8) for one in positions)


class _Watch(TorchDispatchMode):
    """Sees whether a network reads numbers, and how large its tensors are."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch has no types for it
        self.read = ""
        self.largest = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an operator
        types: Any,  # noqa: ANN401 - of its arguments
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - what the operator gives
        if any(tag in func.tags for tag in _READS) and not _by_position(func, args):
            self.read = str(func)
        found = func(*args, **(kwargs or {}))
        for one in found if isinstance(found, tuple | list) else (found,):
            if isinstance(one, Tensor):
                self.largest = max(self.largest, one.untyped_storage().nbytes())
        return found
