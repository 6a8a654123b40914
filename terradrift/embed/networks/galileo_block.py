"""Blocks of the transformers of Presto and Galileo: pre-norm, some tokens hidden."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Attention of all tokens to the visible ones; queries, keys, values in one product."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.proj = nn.Linear(width, width)
        self._project(width)

    def _project(self, width: int) -> None:
        self.qkv = nn.Linear(width, 3 * width)

    def _projected(self, x: Tensor) -> Tensor:
        projected: Tensor = self.qkv(x)
        return projected

    def forward(self, x: Tensor, visible: Tensor | None) -> Tensor:
        """(n, token, width) of the same; `visible` (n, 1, 1, token), None: all are."""
        n, tokens, width = x.shape
        split = self._projected(x).view(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        joined: Tensor = self.proj(found.transpose(1, 2).reshape(n, tokens, width))
        return joined


class SplitAttention(Attention):
    """The same with the three projections kept apart, as checkpoints of Galileo have them."""

    def _project(self, width: int) -> None:
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)

    def _projected(self, x: Tensor) -> Tensor:
        # One product of three matrices is quicker than three; joining them costs nothing.
        parts = (self.q, self.k, self.v)
        weight = torch.cat([part.weight for part in parts])
        return functional.linear(x, weight, torch.cat([part.bias for part in parts]))


class Mlp(nn.Module):
    """Two layers with a GELU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) of the same."""
        found: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return found


class Block(nn.Module):
    """Attention, then two layers, each after a norm and added to what came in."""

    def __init__(self, width: int, attention: Attention, *, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = attention
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, mlp_ratio * width)

    def forward(self, x: Tensor, visible: Tensor | None) -> Tensor:
        """(n, token, width) of the same; `visible` (n, 1, 1, token), None: all are."""
        x = x + self.attn(self.norm1(x), visible)
        found: Tensor = x + self.mlp(self.norm2(x))
        return found
