"""Segment Anything: its image encoder, for comparison with models of satellite images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift.embed.checkpoint import Layout
from terradrift.embed.networks.scaling import STANDARDISED, STRETCHED
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from terradrift.embed.network import Network, Output


def _build(
    *,
    output: Output,
    token_size: int | None = None,  # noqa: ARG001 - there is one
    side: int = 1024,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    window: int = 14,
    whole: tuple[int, ...] = (2, 5, 8, 11),
    neck: int = 256,
) -> Network:
    from terradrift.embed.networks.sam import Sam

    return Sam(
        output=output,
        side=side,
        width=width,
        depth=depth,
        heads=heads,
        window=window,
        whole=whole,
        neck=neck,
    )


def _renamed(key: str) -> str:
    return f"encoder.{key.replace('mlp.lin', 'mlp.fc')}"


VITB = Spec(
    name="sam-vitb",
    revision="01ec64",
    licence="Apache-2.0",
    citation=(
        "Kirillov et al. 2023, Segment Anything, ICCV; "
        "https://github.com/facebookresearch/segment-anything"
    ),
    bands=("red", "green", "blue"),
    gsd=None,
    sensor="any",
    preprocessing=(
        f"{STRETCHED}; resized to 1024 pixels, bilinear, antialiased; "
        f"{STANDARDISED}; pooled: mean of the tokens"
    ),
    dimensions=256,
    tokens={16: 256},
    chip_size=1024,
    chip_multiple=64,
    resized=1024,
    batch=1,
    layout=Layout(
        prefixes=("image_encoder.",),
        ignored=(r"mask_decoder\.", r"prompt_encoder\."),
        rename=_renamed,
    ),
    source=Source(
        url="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth"
    ),
    build=_build,
    parameters=89_670_912,
)
