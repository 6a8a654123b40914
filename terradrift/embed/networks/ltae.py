"""The lightweight temporal attention encoder of AnySat: a series of a pixel to one vector.

After Garnot and Landrieu 2020 (arXiv 2007.00586), as AnySat changed it. Attribute names
are the official keys.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

PERIOD = 367
"""Base of the frequencies in which a day of the year is written."""
_GROUPS = 4
"""Of the normalisation in either stack of layers."""
_AT_ONCE = 1 << 13
"""Pixels times dates at a time: the widest layer takes 6 kB of each."""


class Heads(nn.Module):
    """Attention over dates, with one learnt query a head."""

    def __init__(self, dim: int, heads: int, dim_key: int) -> None:
        super().__init__()
        self.Q = nn.Parameter((2.0 / dim_key) ** 0.5 * torch.randn(heads, dim_key))
        self.fc1_k = nn.Linear(dim, heads * dim_key)

    def forward(self, x: Tensor) -> Tensor:
        """(p, dim) from (p, t, dim)."""
        pixels, dates, dim = x.shape
        heads, dim_key = self.Q.shape
        key = self.fc1_k(x).view(pixels, dates, heads, dim_key)
        weight = ((key * self.Q).sum(dim=-1) / dim_key**0.5).softmax(dim=1)
        value = x.reshape(pixels, dates, heads, dim // heads)
        joint: Tensor = (weight[..., None] * value).sum(dim=1)
        return joint.flatten(1)


class Ltae(nn.Module):
    """Series of pixels to vectors; all must have equally many dates.

    Dates interact in one normalisation and in the attention.
    """

    def __init__(self, bands: int, dim: int, heads: int = 16, dim_key: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.inconv = _layers([bands, dim // 8, dim // 2, dim, 2 * dim, dim])
        self.in_norm = nn.GroupNorm(heads, dim)
        self.attention_heads = Heads(dim, heads, dim_key)
        self.mlp = _layers([dim, dim])
        self.out_norm = nn.GroupNorm(heads, dim)

    def forward(self, x: Tensor, days: Tensor) -> Tensor:
        """(p, dim) from (p, t, band) and days of the year (p, t)."""
        rows = max(1, _AT_ONCE // x.shape[1])
        parts = [slice(at, at + rows) for at in range(0, len(x), rows)]
        return torch.cat([self._encoded(x[part], days[part]) for part in parts])

    def _encoded(self, x: Tensor, days: Tensor) -> Tensor:
        each = self.inconv(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        each = self.in_norm(each.transpose(1, 2)).transpose(1, 2)
        days = day_code(days, each.shape[-1] // self.heads)
        each = each + days.repeat(1, 1, self.heads)
        joint: Tensor = self.out_norm(self.mlp(self.attention_heads(each)))
        return joint


def day_code(days: Tensor, dim: int) -> Tensor:
    """(..., dim) sine and cosine by turns of whole days at dim / 2 frequencies."""
    pair = torch.arange(dim, device=days.device) // 2
    angle = days[..., None] / PERIOD ** (2 * pair / dim)
    odd = torch.arange(dim, device=days.device) % 2 == 1
    return torch.where(odd, angle.cos(), angle.sin())


def _layers(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for given, made in pairwise(sizes):
        layers += [nn.Linear(given, made), nn.GroupNorm(_GROUPS, made), nn.ReLU()]
        layers += [nn.Identity()]  # a dropout in training; the keys count it
    return nn.Sequential(*layers)
