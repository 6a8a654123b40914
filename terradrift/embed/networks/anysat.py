"""AnySat on series of Sentinel-2 (MIT; github.com/gastruc/AnySat, arXiv 2412.14123).

Written from the specification; the other sensors' projectors are left out. Attribute
names are the official keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from terradrift.embed.network import Network
from terradrift.embed.networks.anysat_blocks import Block, CrossBlock
from terradrift.embed.networks.anysat_positions import code, distance_class
from terradrift.embed.networks.anysat_sentinel2 import BANDS
from terradrift.embed.networks.ltae import Ltae

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from terradrift.embed.network import Input, Output

MOST = 1024
"""Tokens per chip up to which the authors advise to use the model."""
_PIXEL = 10.0
"""Metres between the sub-patches (pixels) of a token, whatever the true distance."""


def day_of_year(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Days since New Year's Day, 0 to 365, as the official README counts; 0 for NaT."""
    days = times.astype("datetime64[D]")
    since = (days - days.astype("datetime64[Y]")).astype(np.int64)
    return np.where(np.isnat(days), 0, since)


class Projector(nn.Module):
    """Pixels of one sensor to vectors."""

    def __init__(self, bands: int, dim: int) -> None:
        super().__init__()
        self.patch_embed = Ltae(bands, dim)

    def forward(self, x: Tensor, days: Tensor) -> Tensor:
        """(n, y, x, dim) from (n, t, band, y, x) and days of the year (n, t)."""
        n, t, bands, height, width = x.shape
        pixels = x.permute(0, 3, 4, 1, 2).reshape(n * height * width, t, bands)
        days = days.repeat_interleave(height * width, dim=0)
        found: Tensor = self.patch_embed(pixels, days)
        return found.view(n, height, width, found.shape[-1])


class Spatial(nn.Module):
    """The pixels of a token, and a class token that sums them up."""

    def __init__(self, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.predictor_blocks = nn.ModuleList(
            Block(dim, heads, eps=1e-5, relative=True) for _ in range(depth)
        )
        self.predictor_norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, side: int) -> Tensor:
        """(n, 1 + side ** 2, dim) from (n, side ** 2, dim)."""
        x = x + code(side, x.shape[-1], _PIXEL, x.device).to(x.dtype)
        x = torch.cat([self.cls_token.to(x.dtype).expand(x.shape[0], -1, -1), x], dim=1)
        classes = distance_class(side, x.device)
        for block in self.predictor_blocks:
            x = block(x, classes)
        found: Tensor = self.predictor_norm(x)
        return found


class AnySat(Network):
    """Chips of one or more dates; `token_size` pixels per token side.

    The vector of a chip is its class token, that of a token its own, both after the last,
    crossed block. A date that is not there, or without a clear pixel, takes no part.
    """

    def __init__(
        self,
        *,
        output: Output,
        token_size: int,
        dim: int,
        depth: int,
        heads: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.output = output
        self.token_size = token_size
        self.normal = (tuple(mean), tuple(std))
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.projector_s2 = Projector(len(BANDS), dim)
        self.spatial_encoder = Spatial(dim, depth, heads)
        self.blocks = nn.ModuleList(
            Block(dim, heads, eps=1e-6, relative=False) for _ in range(depth)
        )
        self.blocks.append(CrossBlock(dim, heads, eps=1e-6))

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """Normalised digital numbers (n, t, band, y, x) and days of the year (n, t).

        Where dates are absent, also which are there (n, t).

        Raises:
            ValueError: chips that are not square or not of whole tokens, or too many tokens.
        """
        *_, height, width = given.pixels.shape
        if height != width or height % self.token_size:
            raise ValueError(
                f"anysat takes square chips of whole tokens of {self.token_size} pixels, "
                f"got {height} x {width}; choose another chip or token size"
            )
        if (height // self.token_size) ** 2 > MOST:
            raise ValueError(
                f"anysat takes at most {MOST} tokens per chip, got "
                f"{(height // self.token_size) ** 2}; choose smaller chips or larger tokens"
            )
        device = given.pixels.device
        mean, std = torch.tensor(self.normal, device=device)[:, :, None, None]
        days = torch.from_numpy(day_of_year(given.times)).to(device)
        series = (10000.0 * given.pixels - mean) / std, days
        there = given.clear.flatten(2).any(dim=2)
        # A chip without any date has no vector; it must not disturb those beside it.
        there[:, -1] |= ~there.any(dim=1)
        if there.shape[1] == 1 or bool(there.all()):
            return series
        return *series, there

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, dim), or (n, y / token_size, x / token_size, dim)."""
        x, days, *absent = prepared
        if not absent:
            return self._whole(x, days)
        (there,) = absent
        counts = there.sum(dim=1).tolist()
        found: dict[int, Tensor] = {}
        # Dates interact, so one that is absent is left out: series of a length at a time.
        for count in sorted(set(counts)):
            rows = [row for row, dates in enumerate(counts) if dates == count]
            some = there[rows]
            series = x[rows][some].view(len(rows), count, *x.shape[2:])
            part = self._whole(series, days[rows][some].view(len(rows), count))
            found |= dict(zip(rows, part, strict=True))
        return torch.stack([found[row] for row in range(len(counts))])

    def _whole(self, x: Tensor, days: Tensor) -> Tensor:
        tokens, _ = self.encoded(x, days)
        if self.output == "pooled":
            return tokens[:, 0]
        side = x.shape[-1] // self.token_size
        return tokens[:, 1:].reshape(x.shape[0], side, side, tokens.shape[-1])

    def dense(self, x: Tensor, days: Tensor) -> Tensor:
        """(n, y, x, 2 dim): each pixel's token, then the pixel's own vector within it."""
        tokens, pixels = self.encoded(x, days)
        size = self.token_size
        side = x.shape[-1] // size
        n, _, dim = tokens.shape
        each = tokens[:, 1:, None].expand(-1, -1, size**2, -1)
        both = torch.cat([each, pixels], dim=3)
        grid = both.reshape(n, side, side, size, size, 2 * dim)
        return grid.transpose(2, 3).reshape(n, side * size, side * size, 2 * dim)

    def encoded(self, x: Tensor, days: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 1 + token, dim), the class token first, and (n, token, pixel, dim)."""
        size = self.token_size
        n, side, dim = x.shape[0], x.shape[-1] // size, self.cls_token.shape[-1]
        pixels = self.projector_s2(x, days).view(n, side, size, side, size, dim)
        parts = pixels.transpose(2, 3).reshape(n * side**2, size**2, dim)
        inner = self.spatial_encoder(parts, size).view(n, side**2, 1 + size**2, dim)
        place = F.pad(code(side, dim, size, x.device), (0, 0, 1, 0))
        start = self.cls_token.to(inner.dtype).expand(n, -1, -1)
        tokens = torch.cat([start, inner[:, :, 0]], dim=1) + place.to(inner.dtype)
        *plain, last = self.blocks
        for block in plain:
            tokens = block(tokens)
        tokens = last(tokens, place, distance_class(side, x.device))
        return tokens, inner[:, :, 1:]
