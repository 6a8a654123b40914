"""ResNet of bottlenecks over many bands, as SSL4EO-S12 has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift.embed.network import Input, Network, Output
from terradrift.embed.networks.scaling import clipped
from terradrift.embed.vision import library

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

STRIDE = 32
"""Pixels per cell of the coarsest map."""


class ResNet(Network):
    """timm's ResNet without its classifier; keys are those of torchvision.

    Tokens are the cells of its third or fourth map, of 16 or 32 pixels.
    """

    def __init__(
        self,
        *,
        output: Output,
        token_size: int,
        bands: int,
        blocks: Sequence[int],
        planes: Sequence[int],
        stem: int,
    ) -> None:
        """Random weights; `planes` are the widths within bottlenecks, a quarter of a map's."""
        super().__init__()
        if token_size not in {16, STRIDE}:
            raise ValueError(
                f"expected tokens of 16 or {STRIDE} pixels, got {token_size}"
            )
        self.output = output
        self.token_size = token_size
        timm = library("timm.models.resnet")
        whole = timm.ResNet(
            timm.Bottleneck,
            list(blocks),
            in_chans=bands,
            num_classes=0,
            stem_width=stem,
            channels=tuple(planes),
        )
        self.conv1: nn.Module = whole.conv1
        self.bn1: nn.Module = whole.bn1
        self.act1: nn.Module = whole.act1
        self.maxpool: nn.Module = whole.maxpool
        self.layer1: nn.Module = whole.layer1
        self.layer2: nn.Module = whole.layer2
        self.layer3: nn.Module = whole.layer3
        self.layer4: nn.Module = whole.layer4

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """The image (n, band, y, x), 0..1.

        Raises:
            ValueError: a side of the chips is not a multiple of 32.
        """
        image = clipped(given.pixels[:, -1])
        height, width = image.shape[-2:]
        if height % STRIDE or width % STRIDE or not height * width:
            raise ValueError(
                f"expected chips whose sides are multiples of {STRIDE} pixels, "
                f"got {height} x {width}"
            )
        return (image,)

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, d): mean of the coarsest map; or (n, y, x, d) of tokens."""
        (image,) = prepared
        x: Tensor = self.maxpool(self.act1(self.bn1(self.conv1(image))))
        x = self.layer3(self.layer2(self.layer1(x)))
        if self.output == "pooled":
            coarsest: Tensor = self.layer4(x)
            return coarsest.mean(dim=(-2, -1))
        if self.token_size == STRIDE:
            x = self.layer4(x)
        return x.permute(0, 2, 3, 1)
