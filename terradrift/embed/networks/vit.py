"""Vision transformers with a class token, as SSL4EO-S12 and DINOv2 have them.

Blocks are timm's. The rest is here, because timm resizes position tables in another way
than the official codes, which moves their outputs by up to 0.16.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from terradrift.embed.network import Input, Network, Output
from terradrift.embed.networks.positions import Interpolation, resized
from terradrift.embed.vision import library

if TYPE_CHECKING:
    from collections.abc import Callable

Pool = Literal["class", "mean"]
"""What a pooled vector is: the class token, or the mean of the patches' tokens."""


class Vit(Network):
    """Pre-norm transformer over square patches; outputs are after the last LayerNorm.

    Its keys are those of the official checkpoints.
    """

    def __init__(
        self,
        *,
        output: Output,
        pool: Pool,
        preprocess: Callable[[Tensor], Tensor],
        interpolation: Interpolation,
        bands: int,
        patch: int,
        side: int,
        width: int,
        depth: int,
        heads: int,
        registers: int = 0,
        layer_scale: bool = False,
    ) -> None:
        """Random weights.

        `preprocess` takes reflectance (n, band, y, x) to the network's input; `side` is the
        side of the trained images in pixels, `patch` that of a patch.
        """
        super().__init__()
        self.output = output
        self.pool = pool
        self.preprocess = preprocess
        self.interpolation = interpolation
        self.patch = patch
        norm = partial(nn.LayerNorm, eps=1e-6)
        convolution = nn.Conv2d(bands, width, patch, stride=patch)
        self.patch_embed = nn.ModuleDict({"proj": convolution})
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(
            0.02 * torch.randn(1, 1 + (side // patch) ** 2, width)
        )
        self.register_tokens = (
            nn.Parameter(0.02 * torch.randn(1, registers, width)) if registers else None
        )
        block = library("timm.models.vision_transformer").Block
        self.blocks = nn.Sequential(
            *(
                block(
                    width,
                    heads,
                    mlp_ratio=4,
                    qkv_bias=True,
                    init_values=1.0 if layer_scale else None,
                    norm_layer=norm,
                )
                for _ in range(depth)
            )
        )
        self.norm = norm(width)
        self._tables: dict[tuple[int, int], tuple[tuple[int, int], Tensor]] = {}

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """The image (n, band, y, x) and the positions (n, 1 + tokens, width), class first.

        Raises:
            ValueError: a side of the chips is not a multiple of the patch.
        """
        return self.prepared(self.preprocess(given.pixels[:, -1]))

    def prepared(self, image: Tensor) -> tuple[Tensor, ...]:
        """What `forward` takes of an image that is preprocessed already."""
        height, width = image.shape[-2:]
        if height % self.patch or width % self.patch or not height * width:
            raise ValueError(
                f"expected chips whose sides are multiples of {self.patch} pixels, "
                f"got {height} x {width}"
            )
        table = self._table((height // self.patch, width // self.patch))
        return image, table.expand(len(image), -1, -1)

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, width), or (n, y, x, width) of tokens."""
        image, positions = prepared
        embedded = self.patch_embed["proj"](image)
        patches = embedded.flatten(2).transpose(1, 2)
        parts = [self.cls_token + positions[:, :1], patches + positions[:, 1:]]
        if self.register_tokens is not None:
            parts.insert(1, self.register_tokens.expand(image.shape[0], -1, -1))
        every = self.blocks(torch.cat(parts, dim=1))
        first = every.shape[1] - patches.shape[1]
        if self.output == "tokens":
            tokens: Tensor = self.norm(every[:, first:])
            count, _, width = tokens.shape
            return tokens.reshape(count, *embedded.shape[-2:], width)
        if self.pool == "mean":
            mean: Tensor = self.norm(every[:, first:]).mean(dim=1)
            return mean
        of_class: Tensor = self.norm(every[:, 0])
        return of_class

    def _table(self, grid: tuple[int, int]) -> Tensor:
        """Positions of a grid, interpolated once as long as the weights stay the same."""
        weights = self.pos_embed
        # torch's own count of writes is the only way to see that weights were replaced in
        # place; tensors made under inference mode are not counted.
        writes = -1 if weights.is_inference() else weights._version  # noqa: SLF001
        stamp = (weights.data_ptr(), writes)
        held = self._tables.get(grid)
        if held is None or held[0] != stamp:
            with torch.no_grad():
                table = resized(weights.detach(), grid, self.interpolation)
            held = self._tables[grid] = (stamp, table)
        return held[1]
