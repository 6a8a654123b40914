"""The encoder of Clay v1.0 and v1.5 (Apache-2.0 code of github.com/Clay-foundation/model).

Written from the specification. Masking and decoder are of training alone and left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from terradrift.embed.network import Network
from terradrift.embed.networks.clay_conditions import place_of, time_of
from terradrift.embed.networks.clay_kernels import Kernels
from terradrift.embed.networks.clay_sentinel2 import MEAN, STD, WAVELENGTH
from terradrift.embed.networks.clay_transformer import Transformer

if TYPE_CHECKING:
    from terradrift.embed.network import Input, Output

PATCH = 8
"""Pixels per token side."""
CONDITIONS = 8
"""Last numbers of a token that take time and place instead of the position."""


def position(side: int, dim: int, gsd: Tensor) -> Tensor:
    """(side ** 2, dim) sine and cosine of x, then of y, in row-major order.

    The frequencies are gsd / 10000 ** (2 w / dim), w from 0 to 1: nearly all alike, as the
    official code has it.
    """
    quarter = dim // 4
    w = torch.arange(quarter, device=gsd.device) / (quarter - 1)
    frequency = 1.0 / 10000 ** (2 * w / dim) * gsd.float()
    angle = torch.arange(side, device=gsd.device)[:, None] * frequency
    line = torch.cat([angle.sin(), angle.cos()], dim=1)
    x = line.expand(side, -1, -1)
    y = line[:, None].expand(-1, side, -1)
    return torch.cat([x, y], dim=2).flatten(0, 1)


class Clay(Network):
    """Any of the ten Sentinel-2 bands, with time, place and ground sampling distance.

    A band is left out where its wavelength is NaN. The kernels of a set of bands are made
    once and kept while in inference mode.
    """

    def __init__(
        self, *, output: Output, dim: int, depth: int, heads: int, dim_head: int
    ) -> None:
        super().__init__()
        self.output = output
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.patch_embedding = Kernels(dim, PATCH)
        self.transformer = Transformer(dim, depth, heads, dim_head)
        self._made: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call] # torch has no types for it

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """Normalised digital numbers (n, band, y, x), kernels, bias, conditions, gsd.

        Kernels (n, dim, band, 8, 8), bias (n, dim) and gsd (n,) are one for all chips,
        without taking their memory n times.

        Raises:
            ValueError: chips that are not square or no multiple of 8 pixels, or no band.
        """
        n, *_, height, width = given.pixels.shape
        if height != width or height % PATCH:
            raise ValueError(
                f"clay takes square chips of a multiple of {PATCH} pixels, "
                f"got {height} x {width}; choose another chip size"
            )
        kept = tuple(np.flatnonzero(np.isfinite(given.wavelengths)).tolist())
        if not kept:
            raise ValueError("clay needs a band at least, got none; read more bands")
        pixels = given.pixels[:, -1, kept]
        norm = torch.tensor([(MEAN[k], STD[k]) for k in kept], device=pixels.device)
        mean, std = norm.float().T[:, :, None, None]
        conditions = np.hstack([time_of(given.times[:, -1]), place_of(given.centers)])
        kernels, bias = self._kernels(kept)
        return (
            (10000.0 * pixels - mean) / std,
            kernels.expand(n, *kernels.shape),
            bias.expand(n, *bias.shape),
            torch.from_numpy(conditions).to(pixels.device),
            torch.tensor([given.gsd], device=pixels.device).float().expand(n),
        )

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, dim): the class token, or (n, y / 8, x / 8, dim): all others."""
        pixels, kernels, bias, conditions, gsd = prepared
        side = pixels.shape[-1] // PATCH
        x = self.encoded(pixels, kernels[0], bias[0], conditions, gsd[0])
        if self.output == "pooled":
            return x[:, 0]
        return x[:, 1:].reshape(x.shape[0], side, side, x.shape[-1])

    def encoded(
        self, pixels: Tensor, kernels: Tensor, bias: Tensor, where: Tensor, gsd: Tensor
    ) -> Tensor:
        """(n, 1 + token, dim): the class token and all others, normalised."""
        x = F.conv2d(pixels, kernels, bias, stride=PATCH).flatten(2).transpose(1, 2)
        n, tokens, dim = x.shape
        here = position(pixels.shape[-1] // PATCH, dim - CONDITIONS, gsd)
        code = [here.expand(n, -1, -1), where[:, None].expand(-1, tokens, -1)]
        x = x + torch.cat(code, dim=2).to(x.dtype)
        x = torch.cat([self.cls_token.to(x.dtype).expand(n, -1, -1), x], dim=1)
        found: Tensor = self.transformer(x)
        return found

    def _kernels(self, kept: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        # Outside of inference mode weights may change, and gradients are wanted.
        if not torch.is_inference_mode_enabled():
            return self._make(kept)
        key = (*kept, self.cls_token.device, self.cls_token.dtype)
        if key not in self._made:
            self._made[key] = self._make(kept)
        return self._made[key]

    def _make(self, kept: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        device = self.cls_token.device
        waves = torch.tensor([WAVELENGTH[index] for index in kept], device=device)
        with torch.autocast(device.type, enabled=False):
            kernels, bias = self.patch_embedding(waves)
        return kernels.contiguous(), bias


def _forget(network: nn.Module, _: object) -> None:
    """Kernels of other weights."""
    if isinstance(network, Clay):
        network._made.clear()  # noqa: SLF001 - its own module
