"""SatlasPretrain on Sentinel-2: Swin-v2 of two sizes, one or several dates, RGB or nine bands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from terradrift.embed.checkpoint import Layout
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from terradrift.embed.network import Network, Output

_CITATION = (
    "Bastani et al. 2023, SatlasPretrain: A Large-Scale Dataset for Remote Sensing Image "
    "Understanding, ICCV; https://github.com/allenai/satlaspretrain_models"
)
_PYRAMID = 128
_COLOURS = ("red", "green", "blue")
_ALL = (
    *_COLOURS,
    "rededge071",
    "rededge075",
    "rededge078",
    "nir",
    "swir16",
    "swir22",
)
_TRUE_COLOUR = (
    "harmonised reflectance; red, green, blue: round(255 * clip(reflectance / 0.3558, 0, "
    "1)) / 255, an approximation of ESA's true-colour image / 255"
)
_OTHERS = "; other bands: clip(10000 * reflectance / 8160, 0, 1)"

Size = Literal["swinb", "swint"]
Dates = Literal["si", "mi"]
Colours = Literal["ms", "rgb"]


class _Sizes(NamedTuple):
    width: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    parameters: dict[Colours, int]
    """Of the backbone."""
    pyramid_parameters: int


_SIZES: dict[Size, _Sizes] = {
    "swinb": _Sizes(
        width=128,
        depths=(2, 2, 18, 2),
        heads=(4, 8, 16, 32),
        parameters={"ms": 86_916_088, "rgb": 86_903_800},
        pyramid_parameters=836_608,
    ),
    "swint": _Sizes(
        width=96,
        depths=(2, 2, 6, 2),
        heads=(3, 6, 12, 24),
        parameters={"ms": 27_590_250, "rgb": 27_581_034},
        pyramid_parameters=775_168,
    ),
}


def _build(
    *,
    output: Output,
    token_size: int | None = None,
    bands: int,
    series: bool,
    width: int,
    depths: tuple[int, ...],
    heads: tuple[int, ...],
    pyramid: int | None,
) -> Network:
    from terradrift.embed.networks.satlas import Satlas

    return Satlas(
        bands,
        output=output,
        stride=8 if token_size is None else token_size,
        series=series,
        width=width,
        depths=depths,
        heads=heads,
        pyramid=pyramid,
    )


def _renamed(key: str, *, official: str) -> str:
    """`features.*` under the backbone's prefix, or bare as torchgeo keeps them."""
    for prefix in (f"{official}features.", "features."):
        if key.startswith(prefix):
            return f"backbone.features.{key.removeprefix(prefix)}"
    pyramid = "intermediates.0.fpn."
    if key.startswith(pyramid):
        return f"fpn.{key.removeprefix(pyramid)}"
    return key


def _layout(dates: Dates, *, fpn: bool) -> Layout:
    official = {"si": "backbone.backbone.", "mi": "backbone.backbone.backbone."}[dates]
    return Layout(
        ignored=(
            r"(backbone\.)*(norm|head)\.",  # torchvision's, never trained
            r"heads\.",
            r"intermediates\.1\." if fpn else r"intermediates\.",
        ),
        rename=partial(_renamed, official=official),
    )


def _spec(size: Size, dates: Dates, colours: Colours, *, fpn: bool = False) -> Spec:
    sizes = _SIZES[size]
    bands = _ALL if colours == "ms" else _COLOURS
    stem = f"{size}_{dates}_{colours}"
    words = _TRUE_COLOUR + (_OTHERS if colours == "ms" else "")
    if dates == "mi":
        words += "; element-wise maximum over the dates that are there"
    strides = (8, 4, 16, 32)
    return Spec(
        name=f"satlas-{stem.replace('_', '-')}" + ("-fpn" if fpn else ""),
        revision="0.3.1",
        licence="ODC-By-1.0 (weights), Apache-2.0 (code)",
        citation=_CITATION,
        bands=bands,
        level="L1C",
        preprocessing=words,
        dimensions=_PYRAMID if fpn else 8 * sizes.width,
        tokens={s: _PYRAMID if fpn else sizes.width * s // 4 for s in strides},
        chip_size=512,
        chip_multiple=32,
        dates=8 if dates == "mi" else 1,
        batch=8,
        # Tokens of the large pyramid: 0.99983 at the least, with procedural weights.
        bf16=not (fpn and size == "swinb"),
        layout=_layout(dates, fpn=fpn),
        source=Source(
            url="https://huggingface.co/allenai/satlas-pretrain/resolve/main/"
            f"sentinel2_{stem}.pth"
        ),
        build=partial(
            _build,
            bands=len(bands),
            series=dates == "mi",
            width=sizes.width,
            depths=sizes.depths,
            heads=sizes.heads,
            pyramid=_PYRAMID if fpn else None,
        ),
        parameters=sizes.parameters[colours] + (sizes.pyramid_parameters if fpn else 0),
    )


SWINB_SI_MS = _spec("swinb", "si", "ms")
SWINB_SI_RGB = _spec("swinb", "si", "rgb")
SWINB_MI_MS = _spec("swinb", "mi", "ms")
SWINB_MI_RGB = _spec("swinb", "mi", "rgb")
SWINT_SI_MS = _spec("swint", "si", "ms")
SWINT_SI_RGB = _spec("swint", "si", "rgb")
SWINT_MI_MS = _spec("swint", "mi", "ms")
SWINT_MI_RGB = _spec("swint", "mi", "rgb")
SWINB_SI_MS_FPN = _spec("swinb", "si", "ms", fpn=True)
SWINB_SI_RGB_FPN = _spec("swinb", "si", "rgb", fpn=True)
SWINB_MI_MS_FPN = _spec("swinb", "mi", "ms", fpn=True)
SWINB_MI_RGB_FPN = _spec("swinb", "mi", "rgb", fpn=True)
SWINT_SI_MS_FPN = _spec("swint", "si", "ms", fpn=True)
SWINT_SI_RGB_FPN = _spec("swint", "si", "rgb", fpn=True)
SWINT_MI_MS_FPN = _spec("swint", "mi", "ms", fpn=True)
SWINT_MI_RGB_FPN = _spec("swint", "mi", "rgb", fpn=True)
