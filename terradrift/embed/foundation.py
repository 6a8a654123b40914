"""A foundation model with its weights: chips of reflectance in, vectors out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import torch

from terradrift.embed import card as cards
from terradrift.embed import device as devices
from terradrift.embed import library
from terradrift.embed.contract import missing_bands
from terradrift.embed.forward import FIRST, Forward
from terradrift.embed.forward_graph import computing
from terradrift.embed.forward_precision import Precision, use_bf16
from terradrift.embed.network import Input
from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from terradrift.chip import Chips
    from terradrift.embed.how import How
    from terradrift.embed.network import Network
    from terradrift.embed.protocol import ModelCard
    from terradrift.embed.spec import Spec


def opened(
    spec: Spec, bands: tuple[str, ...], *, patch_px: int, how: How
) -> Foundation:
    """The model of `spec` with the weights that lie on this machine.

    Raises:
        WeightsError: the weights are not on this machine, or damaged, or were added for
            another network.
        ValueError: bands are missing, or the choices do not fit the model.
    """
    card = cards.card(spec, patch_px=patch_px, how=how, weights_sha256="")
    missing_bands(card, bands)
    held = library.load(spec)
    token = cards.token_size(spec, how) if how.tokens else None
    network = spec.build(output="tokens" if how.tokens else "pooled", token_size=token)
    try:
        network.load_state_dict(held.state, strict=True)
    except RuntimeError as error:
        raise WeightsError(
            f"the weights of {spec.name} in {library.place(spec)} do not fit the network of "
            f"this terradrift; add them again with `terradrift models add {spec.name} FILE`"
        ) from error
    card = replace(card, weights_sha256=held.sha256)
    return Foundation(network=network.eval(), card=card)


@dataclass(frozen=True, eq=False, kw_only=True)
class Foundation:
    """A network behind the protocol of embedders.

    Beside the weights it holds those of its frozen graph (in bfloat16 half as many bytes),
    and per thread that calls it about 256 MB on the CPU, 8 GB on CUDA, or what one chip takes.
    """

    network: Network
    card: ModelCard
    device: str = "cpu"
    precision: Precision = "auto"
    _forward: Forward = field(init=False, repr=False)

    def __post_init__(self) -> None:
        device = torch.device(self.device)
        bf16 = use_bf16(self.precision, safe=self.card.bf16, device=device)
        forward = Forward(self.network, device, bf16)
        object.__setattr__(self, "_forward", forward)

    @property
    def how_run(self) -> str:
        """Device, precision and way of computing, for people; complete after a call."""
        return self._forward.how_run

    def precision_on(self, device: str) -> Literal["fp32", "bf16"]:
        """In what it computes on a device, by name or `auto`.

        It need not be a device of this machine: `auto` is then float32.

        Raises:
            ValueError: no such precision.
        """
        here = devices.resolve(device) if device == "auto" else device
        bf16 = use_bf16(self.precision, safe=self.card.bf16, device=torch.device(here))
        return "bf16" if bf16 else "fp32"

    def to(self, device: str) -> Self:
        """The same model, computing on a torch device; this one no longer can.

        On CUDA, products of float32 are exact (no TF32) from then on in this process.
        """
        if device == self.device:
            return self
        if device != "cpu":
            devices.exact_float32()
        return replace(self, network=self.network.to(device), device=device)

    def embed(self, chips: Chips) -> NDArray[np.float32]:
        """(n, d) vectors, or (n, y, x, d) of tokens; NaN for a chip without a clear pixel.

        Where memory of the device runs out, goes on with half as many chips at a time, once,
        and says so on stderr.

        Raises:
            ValueError: other bands than the card's, or memory does not hold even those.
        """
        if chips.bands != self.card.bands:
            raise ValueError(
                f"model {self.card.name} takes bands {', '.join(self.card.bands)}, "
                f"got {', '.join(chips.bands)}; bring them into the model's order"
            )
        self._decide(chips)
        found, start = [], 0
        while start < len(chips):
            rows = min(self._forward.rows, len(chips) - start)
            try:
                found.append(self._embed(_part(chips, start, start + rows)))
            except RuntimeError as error:
                if not devices.out_of_memory(error):
                    raise
                self._forward.halve(rows, error)
            else:
                start += rows
        if not found:
            return np.empty((0, self.card.dimensions), np.float32)
        return np.concatenate(found)

    def _decide(self, chips: Chips) -> None:
        """Let a few chips show how to run, so that all are run alike."""
        if len(chips) and not self._forward.decided:
            self._embed(_part(chips, 0, min(FIRST, len(chips))))

    def _embed(self, chips: Chips) -> NDArray[np.float32]:
        device = torch.device(self.device)
        # Whatever is switched on outside, preparation is exact.
        with torch.inference_mode(), computing(device, bf16=False):
            given = gathered(chips, device)
            found = self._forward(self.network.prepare(given))
            dark = ~given.clear[:, -1].flatten(1).any(dim=1)
            found = torch.where(
                dark.view(-1, *[1] * (found.ndim - 1)), torch.nan, found
            )
            vectors: NDArray[np.float32] = found.cpu().numpy()
        return vectors


def gathered(chips: Chips, device: torch.device) -> Input:
    """The chips on the device, holes filled as `Input` says."""
    pixels = devices.send(chips.pixels, device)[:, None]
    times = chips.times[:, None]
    if chips.past is not None and chips.past_times is not None:
        pixels = torch.cat([devices.send(chips.past, device), pixels], dim=1)
        times = np.concatenate([chips.past_times, times], axis=1)
    # A sum with a NaN in it is NaN, and one pass over the pixels.
    clear = torch.isfinite(pixels.sum(dim=2))
    return Input(
        pixels=_filled(pixels, clear),
        clear=clear,
        times=np.ascontiguousarray(times),
        centers=np.ascontiguousarray(chips.centers),
        gsd=chips.gsd,
        wavelengths=chips.wavelengths,
    )


def _filled(pixels: Tensor, clear: Tensor) -> Tensor:
    # On CUDA the question would wait for all copies; the answer costs less than that.
    if pixels.device.type == "cpu" and bool(clear.all()):
        return pixels
    there = clear[:, :, None]
    total = torch.where(there, pixels, 0.0).sum(dim=(-2, -1), keepdim=True)
    count = there.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
    return torch.where(there, pixels, total / count)


def _part(chips: Chips, start: int, stop: int) -> Chips:
    some = slice(start, stop)
    past, past_times = chips.past, chips.past_times
    return replace(
        chips,
        pixels=chips.pixels[some],
        times=chips.times[some],
        centers=chips.centers[some],
        past=None if past is None else past[some],
        past_times=None if past_times is None else past_times[some],
    )
