"""The image encoder of Segment Anything, by timm.

After Kirillov et al. 2023, "Segment Anything", ICCV: a plain ViT with attention in windows
and relative positions, global attention in a few blocks, and a neck of two convolutions.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from terradrift.embed.network import Network
from terradrift.embed.networks.resizing import resized
from terradrift.embed.networks.scaling import standardised, stretched
from terradrift.embed.vision import library

if TYPE_CHECKING:
    from torch import Tensor

    from terradrift.embed.network import Input, Output


class Sam(Network):
    """`image_encoder` of SAM, on chips resized to the side that it was trained on."""

    def __init__(
        self,
        *,
        output: Output,
        side: int,
        width: int,
        depth: int,
        heads: int,
        window: int,
        whole: tuple[int, ...],
        neck: int,
    ) -> None:
        """Random weights.

        `side` is in pixels; `whole` are the blocks whose attention sees all of the image;
        `neck` is the number of channels that come out.
        """
        super().__init__()
        self.output = output
        self.side = side
        vit = library("timm.models.vision_transformer_sam")
        self.encoder = vit.VisionTransformerSAM(
            img_size=side,
            patch_size=16,
            num_classes=0,
            embed_dim=width,
            depth=depth,
            num_heads=heads,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=window,
            global_attn_indexes=whole,
            neck_chans=neck,
            global_pool="",
        )

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """(n, 3, side, side): 8-bit colours resized, then centred and scaled."""
        return (standardised(resized(stretched(given.pixels[:, -1]), self.side)),)

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, d) or (n, side / 16, side / 16, d)."""
        (x,) = prepared
        found: Tensor = self.encoder.forward_features(x)
        if self.output == "pooled":
            return found.mean(dim=(2, 3))
        return found.permute(0, 2, 3, 1)
