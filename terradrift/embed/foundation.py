"""A foundation model with its weights: chips of reflectance in, vectors out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from terradrift.embed import card as cards
from terradrift.embed import library
from terradrift.embed.network import Input

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
    """The model of `spec` with the weights that lie on this machine."""
    held = library.load(spec)
    token = cards.token_size(spec, how) if how.tokens else None
    network = spec.build(output="tokens" if how.tokens else "pooled", token_size=token)
    network.load_state_dict(held.state, strict=True)
    card = cards.card(spec, patch_px=patch_px, how=how, weights_sha256=held.sha256)
    return Foundation(network=network.eval(), card=card)


@dataclass(frozen=True, eq=False, kw_only=True)
class Foundation:
    """A network behind the protocol of embedders."""

    network: Network
    card: ModelCard
    device: str = "cpu"

    def to(self, device: str) -> Self:
        """The same model, computing on a torch device."""
        return replace(self, network=self.network.to(device), device=device)

    def embed(self, chips: Chips) -> NDArray[np.float32]:
        """(n, d) vectors, or (n, y, x, d) of tokens; NaN for a chip without a clear pixel.

        Raises:
            ValueError: other bands than the card's.
        """
        with torch.inference_mode():
            given = gathered(chips, torch.device(self.device))
            found = self.network(*self.network.prepare(given)).float()
            dark = ~given.clear[:, -1].flatten(1).any(dim=1)
            found[dark] = torch.nan
            vectors: NDArray[np.float32] = found.cpu().numpy()
        return vectors


def gathered(chips: Chips, device: torch.device) -> Input:
    """The chips on the device, holes filled as `Input` says."""
    pixels = torch.from_numpy(np.ascontiguousarray(chips.pixels)).to(device)[:, None]
    times = chips.times[:, None]
    if chips.past is not None and chips.past_times is not None:
        past = torch.from_numpy(np.ascontiguousarray(chips.past)).to(device)
        pixels = torch.cat([past, pixels], dim=1)
        times = np.concatenate([chips.past_times, times], axis=1)
    clear = torch.isfinite(pixels).all(dim=2)
    return Input(
        pixels=_filled(pixels, clear),
        clear=clear,
        times=times,
        centers=chips.centers,
        gsd=chips.gsd,
        wavelengths=chips.wavelengths,
    )


def _filled(pixels: Tensor, clear: Tensor) -> Tensor:
    there = clear[:, :, None]
    total = torch.where(there, pixels, 0.0).sum(dim=(-2, -1), keepdim=True)
    count = there.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
    return torch.where(there, pixels, total / count)
