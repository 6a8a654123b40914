"""DINOv2: vision transformers trained on photographs, as a comparison in true colour.

Oquab et al. 2024, "DINOv2: Learning robust visual features without supervision", and
Darcet et al. 2024, "Vision transformers need registers",
https://github.com/facebookresearch/dinov2.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from terradrift.embed.checkpoint import Layout
from terradrift.embed.networks.scaling import STANDARDISED, STRETCHED
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from terradrift.embed.network import Network, Output

_SCALED = f"{STRETCHED}; {STANDARDISED}; pooled: class token"
_PLACE = "https://dl.fbaipublicfiles.com/dinov2"


def vit14(
    *,
    output: Output = "pooled",
    token_size: int | None = None,
    width: int,
    depth: int = 12,
    heads: int,
    registers: int = 0,
) -> Network:
    """ViT/14 with random weights; with registers, positions are resized in another way."""
    from terradrift.embed.networks.positions import DINO, DINOV2_REGISTERS
    from terradrift.embed.networks.scaling import imagenet
    from terradrift.embed.networks.vit import Vit

    if token_size not in {None, 14}:
        raise ValueError(f"expected tokens of 14 pixels, got {token_size}")
    return Vit(
        output=output,
        pool="class",
        preprocess=imagenet,
        interpolation=DINOV2_REGISTERS if registers else DINO,
        bands=3,
        patch=14,
        side=518,
        width=width,
        depth=depth,
        heads=heads,
        registers=registers,
        layer_scale=True,
    )


_dinov2 = partial(
    Spec,
    revision="1",
    licence="Apache-2.0",
    bands=("red", "green", "blue"),
    # Photographs have neither a processing level nor metres per pixel.
    level="any",
    gsd=None,
    sensor="any",
    chip_size=224,
    chip_multiple=14,
    layout=Layout(ignored=(r"mask_token$",)),
)
_plain = partial(
    _dinov2,
    citation="Oquab et al. 2024, DINOv2, arXiv:2304.07193; "
    "https://github.com/facebookresearch/dinov2",
    preprocessing=f"{_SCALED}; positions: bicubic, no antialias, "
    "scale (tokens + 0.1) / 37",
)
_registers = partial(
    _dinov2,
    citation="Oquab et al. 2024, DINOv2, arXiv:2304.07193; Darcet et al. 2024, "
    "arXiv:2309.16588; https://github.com/facebookresearch/dinov2",
    preprocessing=f"{_SCALED}; positions: bicubic, antialias, scale tokens / 37",
)
_small = partial(vit14, width=384, heads=6)
_base = partial(vit14, width=768, heads=12)

# The publisher gives no digests of these files.
S = _plain(
    name="dinov2-s",
    dimensions=384,
    tokens={14: 384},
    build=_small,
    parameters=22_056_192,
    source=Source(url=f"{_PLACE}/dinov2_vits14/dinov2_vits14_pretrain.pth"),
)
B = _plain(
    name="dinov2-b",
    dimensions=768,
    tokens={14: 768},
    build=_base,
    parameters=86_579_712,
    source=Source(url=f"{_PLACE}/dinov2_vitb14/dinov2_vitb14_pretrain.pth"),
)
S_REG = _registers(
    name="dinov2-s-reg",
    dimensions=384,
    tokens={14: 384},
    build=partial(_small, registers=4),
    parameters=22_057_728,
    source=Source(url=f"{_PLACE}/dinov2_vits14/dinov2_vits14_reg4_pretrain.pth"),
)
B_REG = _registers(
    name="dinov2-b-reg",
    dimensions=768,
    tokens={14: 768},
    build=partial(_base, registers=4),
    parameters=86_582_784,
    source=Source(url=f"{_PLACE}/dinov2_vitb14/dinov2_vitb14_reg4_pretrain.pth"),
)
