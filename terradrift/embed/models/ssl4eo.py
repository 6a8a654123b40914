"""SSL4EO-S12: networks trained on 13 bands of Sentinel-2 L1C without labels.

Wang et al. 2023, "SSL4EO-S12: A large-scale multimodal, multitemporal dataset for
self-supervised learning in Earth observation", https://github.com/zhu-xlab/SSL4EO-S12.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from terradrift.embed.checkpoint import Layout
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terradrift.embed.network import Network, Output
    from terradrift.embed.networks.vit import Pool

BANDS = (
    "coastal",
    "blue",
    "green",
    "red",
    "rededge071",
    "rededge075",
    "rededge078",
    "nir",
    "nir08",
    "nir09",
    "cirrus",
    "swir16",
    "swir22",
)
"""All 13 of the sensor, in its order."""

_SCALED = "reflectance (DN / 10000 without the offset of 1000), clipped to 0..1"
_POSITIONS = (
    "positions for other chips than 224 px: bicubic, no antialias, "
    "scale (tokens + 0.1) / 14 as in DINO"
)
_LICENCE = "CC-BY-4.0 (weights) AND Apache-2.0 (code)"
_CITATION = (
    "Wang et al. 2023, SSL4EO-S12, doi:10.1109/MGRS.2023.3281651, arXiv:2211.07044; "
    "https://github.com/zhu-xlab/SSL4EO-S12"
)


def resnet50(
    *,
    output: Output = "pooled",
    token_size: int | None = None,
    blocks: Sequence[int] = (3, 4, 6, 3),
    planes: Sequence[int] = (64, 128, 256, 512),
    stem: int = 64,
) -> Network:
    """ResNet-50 with random weights; tokens of 16 pixels unless told."""
    from terradrift.embed.networks.resnet import ResNet

    return ResNet(
        output=output,
        token_size=16 if token_size is None else token_size,
        bands=len(BANDS),
        blocks=blocks,
        planes=planes,
        stem=stem,
    )


def vits16(
    *,
    pool: Pool,
    output: Output = "pooled",
    token_size: int | None = None,
    width: int = 384,
    depth: int = 12,
    heads: int = 6,
) -> Network:
    """ViT-S/16 with random weights.

    It has 6 heads whatever the method: SSL4EO-S12 changed the 12 of MoCo-v3's ViT-S, which
    no shape of a tensor shows.
    """
    from terradrift.embed.networks.positions import DINO
    from terradrift.embed.networks.scaling import clipped
    from terradrift.embed.networks.vit import Vit

    if token_size not in {None, 16}:
        raise ValueError(f"expected tokens of 16 pixels, got {token_size}")
    return Vit(
        output=output,
        pool=pool,
        preprocess=clipped,
        interpolation=DINO,
        bands=len(BANDS),
        patch=16,
        side=224,
        width=width,
        depth=depth,
        heads=heads,
    )


def _hosted(repository: str, revision: str, prefix: str) -> Source:
    # The copies that torchgeo pins by revision, with the first digits of the SHA-256 at the
    # end of the file's name; the originals lie on a drive without fixed addresses.
    return Source(
        url=f"https://huggingface.co/torchgeo/{repository}/resolve/{revision}/"
        f"{repository}-{prefix}.pth",
        sha256_prefix=prefix,
    )


_resnet = partial(
    Spec,
    revision="1",
    licence=_LICENCE,
    citation=_CITATION,
    bands=BANDS,
    missing="zero",
    # L2A has no cirrus band; the authors' own tests on L2A put zeros there.
    optional=("cirrus",),
    level="L1C",
    preprocessing=f"{_SCALED}; pooled: mean of the map of 32 px; tokens: cells of the map of "
    "16 px (layer 3) or 32 px (layer 4)",
    dimensions=2048,
    # The finer map by default: half the numbers each, and closer to what is on the ground.
    tokens={16: 1024, 32: 2048},
    chip_size=224,
    chip_multiple=32,
    build=resnet50,
    parameters=23_539_392,
)
_vit = partial(
    Spec,
    revision="1",
    licence=_LICENCE,
    citation=_CITATION,
    bands=BANDS,
    missing="zero",
    optional=("cirrus",),
    level="L1C",
    dimensions=384,
    tokens={16: 384},
    chip_size=224,
    chip_multiple=16,
    parameters=22_648_704,
)
_OF_CLASS = f"{_SCALED}; pooled: class token; {_POSITIONS}"
_DINO = Layout(
    wrappers=("teacher", "student"),
    prefixes=("module.backbone.", "backbone.", ""),
    ignored=(r"(module\.)?head\.", r"(module\.)?(backbone\.)?fc\."),
)

RESNET50_MOCO = _resnet(
    name="ssl4eo-resnet50-moco",
    layout=Layout(
        wrappers=("state_dict",),
        prefixes=("module.encoder_q.", ""),
        ignored=(
            r"(module\.encoder_q\.)?fc\.",
            r"module\.encoder_k\.",
            r"module\.queue(_ptr)?$",
        ),
    ),
    source=_hosted(
        "resnet50_sentinel2_all_moco",
        "da4f3c9dbe09272eb902f3b37f46635fa4726879",
        "df8b932e",
    ),
)
RESNET50_DINO = _resnet(
    name="ssl4eo-resnet50-dino",
    layout=_DINO,
    source=_hosted(
        "resnet50_sentinel2_all_dino",
        "d7f14bf5530d70ac69d763e58e77e44dbecfec7c",
        "d6c330e9",
    ),
)
VITS16_MOCO = _vit(
    name="ssl4eo-vits16-moco",
    preprocessing=_OF_CLASS,
    build=partial(vits16, pool="class"),
    layout=Layout(
        wrappers=("state_dict",),
        prefixes=("module.base_encoder.", ""),
        ignored=(
            r"(module\.base_encoder\.)?head\.",
            r"module\.momentum_encoder\.",
            r"module\.predictor\.",
        ),
    ),
    source=_hosted(
        "vit_small_patch16_224_sentinel2_all_moco",
        "1cb683f6c14739634cdfaaceb076529adf898c74",
        "67c9032d",
    ),
)
VITS16_DINO = _vit(
    name="ssl4eo-vits16-dino",
    preprocessing=_OF_CLASS,
    build=partial(vits16, pool="class"),
    layout=_DINO,
    source=_hosted(
        "vit_small_patch16_224_sentinel2_all_dino",
        "5b41dd418a79de47ac9f5be3e035405a83818a62",
        "36bcc127",
    ),
)
VITS16_MAE = _vit(
    name="ssl4eo-vits16-mae",
    preprocessing=f"{_SCALED}; pooled: mean of the patches' tokens; {_POSITIONS}",
    build=partial(vits16, pool="mean"),
    layout=Layout(
        wrappers=("model",),
        ignored=(r"decoder_", r"mask_token$", r"head\."),
    ),
    # The authors publish neither a revision nor a digest of this file.
    source=Source(
        url="https://huggingface.co/wangyi111/SSL4EO-S12/resolve/main/"
        "B13_vits16_mae_ep99_enc.pth"
    ),
)
