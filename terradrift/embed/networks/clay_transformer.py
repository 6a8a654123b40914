"""Clay's transformer: normalised first, without biases in attention.

Attribute names are the official keys.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn


class Attention(nn.Module):
    """Self-attention with its normalisation."""

    def __init__(self, dim: int, heads: int, dim_head: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * dim_head
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * inner, bias=False)
        self.to_out = nn.Linear(inner, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, token, dim) to the same."""
        n, tokens, _ = x.shape
        joint = self.to_qkv(self.norm(x)).view(n, tokens, 3, self.heads, -1)
        query, key, value = joint.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.to_out(mixed.transpose(1, 2).reshape(n, tokens, -1))
        return out


class FeedForward(nn.Module):
    """Two layers with their normalisation."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, token, dim) to the same."""
        out: Tensor = self.net(x)
        return out


class Transformer(nn.Module):
    """Blocks of attention and feed-forward, and a last normalisation."""

    def __init__(self, dim: int, depth: int, heads: int, dim_head: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(
            nn.ModuleList([Attention(dim, heads, dim_head), FeedForward(dim, 4 * dim)])
            for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, token, dim) to the same."""
        for block in self.layers:
            for part in block.children():
                x = x + part(x)
        out: Tensor = self.norm(x)
        return out
