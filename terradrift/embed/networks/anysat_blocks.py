"""Transformer blocks of AnySat: plain, with relative positions, and the last, crossed one.

All normalise first. Attribute names are the official keys.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from terradrift.embed.networks.anysat_positions import CLASSES


class Mlp(nn.Module):
    """Two layers around a GELU."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(n, token, dim) to the same."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Relative(nn.Module):
    """What a query adds to its attention for each class of distance.

    The official code takes the queries of the first head for all heads, wherever its own
    CUDA operator is not installed; so did the outputs that this is held to.
    """

    def __init__(self, dim_head: int) -> None:
        super().__init__()
        self.lookup_table_weight = nn.Parameter(
            0.02 * torch.randn(1, dim_head, CLASSES)
        )

    def forward(self, query: Tensor, classes: Tensor) -> Tensor:
        """(n, 1, token, token) from (n, head, token, dim) and (token, token) classes."""
        each = query[:, :1] @ self.lookup_table_weight
        return each.gather(-1, classes.expand(*each.shape[:-1], -1))


class Attention(nn.Module):
    """Self-attention, with relative positions where `relative`."""

    def __init__(self, dim: int, heads: int, *, relative: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rpe_k = Relative(dim // heads) if relative else None

    def forward(self, x: Tensor, classes: Tensor | None) -> Tensor:
        """(n, token, dim) to the same."""
        joint = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        query, key, value = joint.permute(2, 0, 3, 1, 4)
        bias = None
        if self.rpe_k is not None:
            bias = self.rpe_k(query * query.shape[-1] ** -0.5, classes)
        mixed = F.scaled_dot_product_attention(query, key, value, bias)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class Block(nn.Module):
    """Attention and layers, each beside the identity."""

    def __init__(self, dim: int, heads: int, eps: float, *, relative: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.attn = Attention(dim, heads, relative=relative)
        self.norm2 = nn.LayerNorm(dim, eps)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """(n, token, dim) to the same; `classes` (token, token) of relative positions."""
        x = x + self.attn(self.norm1(x), classes)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class CrossAttention(nn.Module):
    """Attention from a learnt query at each position, the same for all chips."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_learned = nn.Parameter(torch.zeros(1, 1, dim))
        self.wk = nn.Linear(dim, dim)
        self.wv = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)
        self.rpe_k = Relative(dim // heads)

    def forward(self, x: Tensor, place: Tensor, classes: Tensor) -> Tensor:
        """(n, token, dim) to the same; `place` (token, dim) is added to the query."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.q_learned + place, self.wk(x), self.wv(x))
        )
        query = query.to(key.dtype)
        # The official code scales the query here only where it meets the keys.
        bias = self.rpe_k(query, classes)
        shape = (x.shape[0], *query.shape[1:])
        mixed = F.scaled_dot_product_attention(
            query.expand(shape), key, value, bias.to(key.dtype)
        )
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class CrossBlock(nn.Module):
    """Crossed attention in place of the tokens, then layers beside the identity."""

    def __init__(self, dim: int, heads: int, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.attn = CrossAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor, place: Tensor, classes: Tensor) -> Tensor:
        """(n, token, dim) to the same."""
        x = self.attn(self.norm1(x), place, classes)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out
