"""The encoder of Presto: time series of one pixel, a token per group of bands and month.

Source: Tseng et al. 2023, arXiv 2304.14065; github.com/nasaharvest/presto. Written from the
published description; the tensors have the names of the official checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from terradrift.embed.networks.galileo_block import Attention, Block
from terradrift.embed.networks.galileo_codes import month_table

if TYPE_CHECKING:
    from collections.abc import Mapping

BANDS: dict[str, int] = {
    "S1": 2,
    "S2_RGB": 3,
    "S2_Red_Edge": 3,
    "S2_NIR_10m": 1,
    "S2_NIR_20m": 1,
    "S2_SWIR": 2,
    "ERA5": 2,
    "SRTM": 2,
    "NDVI": 1,
}
"""Groups of bands that make a token a month (SRTM: one in all), and their numbers."""
LAND_COVER = "dynamic_world"
"""The group whose values are classes."""
CHANNELS = (*BANDS, LAND_COVER)
"""Groups by the rows of the table of channel embeddings."""
CLASSES = 10


class Encoder(nn.Module):
    """Tokens of all groups, whichever of them are given."""

    def __init__(
        self, *, width: int, depth: int, heads: int, mlp_ratio: int, dates: int
    ) -> None:
        super().__init__()
        quarter = width // 4
        self.eo_patch_embed = nn.ModuleDict(
            {name: nn.Linear(bands, width) for name, bands in BANDS.items()}
        )
        self.dw_embed = nn.Embedding(CLASSES, width)
        self.latlon_embed = nn.Linear(3, width)
        self.channel_embed = nn.Embedding(len(CHANNELS), quarter)
        self.month_embed = nn.Embedding(12, quarter, _weight=month_table(quarter))
        self.pos_embed = nn.Parameter(
            _step_table(dates, width // 2)[None], requires_grad=False
        )
        self.blocks = nn.ModuleList(
            Block(width, Attention(width, heads), mlp_ratio=mlp_ratio)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        groups: Mapping[str, Tensor],
        months: Tensor,
        steps: Tensor,
        place: Tensor,
        seen: Tensor | None = None,
    ) -> Tensor:
        """(s, token, width) of `s` series, before the last norm; the place's token first.

        `groups` holds (s, t, band) of each group that there is, but (s, 1, band) of SRTM
        and (s, t) of classes; tokens follow in its order, each with its months. `months`
        (January 0) and `steps` are (s, t), `place` (s, 3) on the unit sphere. What is False
        in `seen` (s, token - 1) is hidden: as if it were not given.
        """
        month, step = self.month_embed(months), self.pos_embed[0][steps]
        code = torch.cat([month, torch.zeros_like(month), step], dim=-1)
        tokens = [self.latlon_embed(place)[:, None]]
        for name, values in groups.items():
            token = self._token(name, values)
            tokens.append(token if name == "SRTM" else token + code)
        joined = torch.cat(tokens, dim=1)
        mask = None
        if seen is not None:
            mask = functional.pad(seen, (1, 0), value=True)[:, None, None]
        for block in self.blocks:
            joined = block(joined, mask)
        return joined

    def pooled(self, tokens: Tensor, seen: Tensor | None = None) -> Tensor:
        """(s, width): the norm of the mean of what `forward` gives, hidden ones left out."""
        tokens = tokens.float()
        if seen is None:
            mean = tokens.mean(dim=1)
        else:
            ground = torch.where(seen[..., None], tokens[:, 1:], 0.0).sum(dim=1)
            mean = (tokens[:, 0] + ground) / (seen.sum(dim=1, keepdim=True) + 1)
        found: Tensor = self.norm(mean)
        return found

    def _token(self, name: str, values: Tensor) -> Tensor:
        """(s, t, width) of one group, with the code of its channels."""
        row = self.channel_embed.weight[CHANNELS.index(name)]
        quarter = len(row)
        code = functional.pad(row, (quarter, 2 * quarter))
        if name == LAND_COVER:
            return functional.embedding(values, self.dw_embed.weight + code)
        linear = self.eo_patch_embed[name]
        weight, bias = linear.get_parameter("weight"), linear.get_parameter("bias")
        return functional.linear(values, weight, bias + code)


def _step_table(dates: int, width: int) -> Tensor:
    """(dates, width): sine and cosine of each step, in turn, down to a frequency of 1 / 1000."""
    order = torch.arange(0, width, 2, dtype=torch.float64)
    angle = torch.arange(dates, dtype=torch.float64)[:, None] * 1000.0 ** (
        -order / width
    )
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).float()
