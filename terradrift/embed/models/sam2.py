"""SAM 2.1: its image encoders, for comparison with models of satellite images."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from terradrift.embed.checkpoint import Layout
from terradrift.embed.networks.scaling import STANDARDISED, STRETCHED
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from terradrift.embed.network import Network, Output

_FOLDER = "https://dl.fbaipublicfiles.com/segment_anything_2/092824"
_RENAMED = (
    ("neck.convs.0.conv.", "neck.coarse."),
    ("neck.convs.1.conv.", "neck.fine."),
    (".mlp.layers.0.", ".mlp.fc1."),
    (".mlp.layers.1.", ".mlp.fc2."),
)


def _build(
    *,
    output: Output,
    token_size: int | None = None,  # noqa: ARG001 - there is one
    side: int = 1024,
    width: int,
    heads: int,
    stages: tuple[int, int, int, int],
    windows: tuple[int, int, int, int] = (8, 4, 14, 7),
    whole: tuple[int, ...],
    positions: int,
    neck: int = 256,
) -> Network:
    from terradrift.embed.networks.sam2 import Sam2

    return Sam2(
        output=output,
        side=side,
        width=width,
        heads=heads,
        stages=stages,
        windows=windows,
        whole=whole,
        positions=positions,
        neck=neck,
    )


def _renamed(key: str) -> str:
    for official, ours in _RENAMED:
        key = key.replace(official, ours)
    return key


_LAYOUT = Layout(
    wrappers=("model",),
    prefixes=("image_encoder.",),
    ignored=(
        r"image_encoder\.neck\.convs\.[23]\.",  # of finer maps
        r"memory_attention\.",
        r"memory_encoder\.",
        r"sam_prompt_encoder\.",
        r"sam_mask_decoder\.",
        r"obj_ptr_",
        r"mask_downsample\.",
        r"(maskmem_tpos_enc|no_mem_embed|no_mem_pos_enc|no_obj_ptr|no_obj_embed_spatial)$",
    ),
    rename=_renamed,
)


def _spec(
    *,
    name: str,
    file: str,
    parameters: int,
    width: int,
    heads: int,
    stages: tuple[int, int, int, int],
    whole: tuple[int, ...],
    positions: int,
) -> Spec:
    return Spec(
        name=name,
        revision="092824",
        licence="Apache-2.0",
        citation=(
            "Ravi et al. 2024, SAM 2: Segment Anything in Images and Videos, "
            "arXiv:2408.00714; https://github.com/facebookresearch/sam2"
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
        batch=2,
        layout=_LAYOUT,
        source=Source(url=f"{_FOLDER}/{file}"),
        build=partial(
            _build,
            width=width,
            heads=heads,
            stages=stages,
            whole=whole,
            positions=positions,
        ),
        parameters=parameters,
    )


HIERA_T = _spec(
    name="sam2.1-hiera-t",
    file="sam2.1_hiera_tiny.pt",
    parameters=27_144_896,
    width=96,
    heads=1,
    stages=(1, 2, 7, 2),
    whole=(5, 7, 9),
    positions=7,
)
HIERA_BPLUS = _spec(
    name="sam2.1-hiera-b+",
    file="sam2.1_hiera_base_plus.pt",
    parameters=69_020_288,
    width=112,
    heads=2,
    stages=(2, 3, 16, 3),
    whole=(12, 16, 20),
    positions=14,
)
