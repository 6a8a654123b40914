"""The image encoder of SAM 2: a Hiera trunk, by timm, and its neck.

After Ravi et al. 2024, "SAM 2: Segment Anything in Images and Videos", and Ryali et al.
2023, "Hiera: A Hierarchical Vision Transformer without the Bells-and-Whistles", ICML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

from terradrift.embed.network import Network
from terradrift.embed.networks.resizing import resized
from terradrift.embed.networks.scaling import standardised, stretched
from terradrift.embed.vision import library

if TYPE_CHECKING:
    from torch import Tensor

    from terradrift.embed.network import Input, Output


class Sam2(Network):
    """`image_encoder` of SAM 2 up to the map that it calls vision features (1/16)."""

    def __init__(
        self,
        *,
        output: Output,
        side: int,
        width: int,
        heads: int,
        stages: tuple[int, int, int, int],
        windows: tuple[int, int, int, int],
        whole: tuple[int, ...],
        positions: int,
        neck: int,
    ) -> None:
        """Random weights.

        `side` is in pixels; `stages` are blocks per stage, `windows` tokens per side of
        their attention, `whole` the blocks whose attention sees all of the image;
        `positions` is the side of the table of positions; `neck` is the number of channels
        that come out.
        """
        super().__init__()
        self.output = output
        self.side = side
        hiera = library("timm.models.hieradet_sam2")
        self.trunk = hiera.HieraDet(
            num_classes=0,
            embed_dim=width,
            num_heads=heads,
            stages=stages,
            window_spec=windows,
            global_att_blocks=whole,
            global_pos_size=(positions, positions),
        )
        self.trunk.reset_classifier(0, reset_other=True)  # its norm too
        self.neck = Neck(coarse=8 * width, fine=4 * width, channels=neck)

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """(n, 3, side, side): 8-bit colours resized, then centred and scaled."""
        return (standardised(resized(stretched(given.pixels[:, -1]), self.side)),)

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, d) or (n, side / 16, side / 16, d)."""
        (x,) = prepared
        fine, coarse = self.trunk.forward_intermediates(
            x, indices=2, intermediates_only=True
        )
        found: Tensor = self.neck(fine, coarse)
        if self.output == "pooled":
            return found.mean(dim=(2, 3))
        return found.permute(0, 2, 3, 1)


class Neck(nn.Module):
    """The part of SAM 2's feature pyramid that the 1/16 map needs.

    The official neck also makes a 1/32 map and drops it, and maps of 1/4 and 1/8 that this
    one does not depend on.
    """

    def __init__(self, *, coarse: int, fine: int, channels: int) -> None:
        super().__init__()
        self.coarse = nn.Conv2d(coarse, channels, 1)
        self.fine = nn.Conv2d(fine, channels, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(n, channels, y, x) of (n, fine, y, x) and (n, coarse, y / 2, x / 2)."""
        above = functional.interpolate(
            self.coarse(coarse), scale_factor=2.0, mode="nearest"
        )
        found: Tensor = self.fine(fine) + above
        return found
