"""Swin-v2 as SatlasPretrain has it: torchvision's, any number of bands, maps of each stage.

After Liu et al. 2022, "Swin Transformer V2", CVPR, in the arrangement of Bastani et al.
2023, "SatlasPretrain", ICCV: a first convolution for the bands at hand, no final norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from terradrift.embed.vision import library

if TYPE_CHECKING:
    from torch import Tensor

PATCH = 4
"""Pixels per side of what the first convolution takes in; stages halve from there."""
STRIDES = (4, 8, 16, 32)
"""Pixels per token side of the map of each stage."""
_WINDOW = 8


class Swin(nn.Module):
    """Stages of a Swin-v2 transformer; keys are those of torchvision (`features.*`)."""

    def __init__(
        self,
        bands: int,
        *,
        width: int,
        depths: tuple[int, ...],
        heads: tuple[int, ...],
    ) -> None:
        super().__init__()
        swin = library("torchvision.models.swin_transformer")
        # Training only: no block is ever skipped here, and nothing is classified.
        whole = swin.SwinTransformer(
            [PATCH, PATCH],
            width,
            list(depths),
            list(heads),
            [_WINDOW, _WINDOW],
            stochastic_depth_prob=0.0,
            num_classes=1,
            block=swin.SwinTransformerBlockV2,
            downsample_layer=swin.PatchMergingV2,
        )
        whole.features[0][0] = nn.Conv2d(bands, width, PATCH, stride=PATCH)
        self.features: nn.Sequential = whole.features

    def forward(self, x: Tensor, stages: int = len(STRIDES)) -> list[Tensor]:
        """Maps (n, d, y, x) of the first `stages` stages, the finest first.

        `x` is (n, band, y, x), sides a multiple of 32.
        """
        maps = []
        # A stage is two entries: what makes its tokens out of coarser input, then blocks.
        for stage in range(stages):
            x = self.features[2 * stage + 1](self.features[2 * stage](x))
            maps.append(x.permute(0, 3, 1, 2))
        return maps
