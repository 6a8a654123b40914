"""Galileo: multimodal transformers over patches of 1 to 8 pixels and up to 24 dates.

Tseng et al. 2025, "Galileo: Learning Global and Local Features in Pretrained Remote Sensing
Models", https://github.com/nasaharvest/galileo. Of its many inputs the ten bands of
Sentinel-2 are given, and NDVI made from them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from terradrift.embed.checkpoint import Layout
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from terradrift.embed.network import Network, Output

BANDS = (
    "blue",
    "green",
    "red",
    "rededge071",
    "rededge075",
    "rededge078",
    "nir",
    "nir08",
    "swir16",
    "swir22",
)
"""Of Sentinel-2 those of 10 and 20 m."""

TOKEN = 4
"""Pixels per token side unless told."""


def network(
    *,
    output: Output = "pooled",
    token_size: int | None = None,
    ndvi: bool = True,
    location: bool = False,
    width: int = 128,
    depth: int = 4,
    heads: int = 8,
    mlp_ratio: int = 4,
    dates: int = 24,
) -> Network:
    """Galileo with random weights.

    The token of NDVI is there as it was in training, though the official helper leaves it
    out where only Sentinel-2 is given. That of the place on Earth is not: it hardly differs
    within an archive, so it tells nothing apart, and moves every vector by the same.
    """
    from terradrift.embed.networks.galileo import Galileo

    return Galileo(
        output=output,
        token_size=TOKEN if token_size is None else token_size,
        ndvi=ndvi,
        location=location,
        width=width,
        depth=depth,
        heads=heads,
        mlp_ratio=mlp_ratio,
        dates=dates,
    )


def official(key: str) -> str:
    """Some releases have wrapped modules, whose keys say so."""
    return key.replace(".backbone.", ".")


_GIVEN_ELSEWHERE = (
    r"(sp|t)_channel_embed$",
    r"(space|time)_embed\.",
    r"space_time_embed\.(.+\.)?S1\.",
    r"static_embed\.(.+\.)?(LS|DW_static|WC_static)\.",
)
"""Parts for radar, weather, terrain, land cover and lights."""

_galileo = partial(
    Spec,
    licence="MIT",
    citation="Tseng et al. 2025, Galileo, arXiv:2502.09356; "
    "https://github.com/nasaharvest/galileo",
    bands=BANDS,
    # A group of bands that lacks one is hidden, as both were trained with hidden groups.
    missing="drop",
    level="L1C",
    preprocessing="DN = 10000 * reflectance without the offset of 1000, not below 0, then "
    "(DN - (mean - 2 std)) / (4 std) by the constants of config/normalization.json; "
    "NDVI (0 where its sum is 0) as a token; no token of the place; months from "
    "the dates; tokens without any clear pixel, or of a group that lacks a band, left out, "
    "other holes hold the mean of the chip; pooled from tokens of 4 pixels",
    # It was trained on chips of 4 to 12 tokens a side, and adds to each token a code of its
    # place in the chip. With the least of them a token is a mean over all of those places
    # already at half a chip of overlap, and attention costs least.
    chip_size=4 * TOKEN,
    chip_multiple=TOKEN,
    dates=24,
    # The cosine to float32 was 0.9986 at least.
    bf16=False,
    layout=Layout(ignored=_GIVEN_ELSEWHERE, rename=official),
)
_NANO_COMMIT = "0f0b5b95ac81acef4b74cf4686dc877202f4541b"
_HUB = (
    "https://huggingface.co/nasaharvest/galileo/resolve/"
    "f039dd5dde966a931baeda47eb680fa89b253e4e/models"
)


def _tokens(width: int) -> dict[int, int]:
    return {TOKEN: width} | dict.fromkeys(range(1, 9), width)


NANO = _galileo(
    name="galileo-nano",
    revision="1",
    dimensions=128,
    tokens=_tokens(128),
    batch=128,
    build=network,
    parameters=886_240,
    source=Source(
        url="https://raw.githubusercontent.com/nasaharvest/galileo/"
        f"{_NANO_COMMIT}/data/models/nano/encoder.pt",
        sha256="eab6acacf527886a508a555bc24efe4b4a2cf91b162e84cd1c4a1807e942180c",
        bytes=4_189_406,
    ),
)
# The publisher gives no digests of the two larger files.
TINY = _galileo(
    name="galileo-tiny",
    revision="1",
    dimensions=192,
    tokens=_tokens(192),
    batch=64,
    build=partial(network, width=192, depth=12, heads=3),
    parameters=5_478_096,
    source=Source(url=f"{_HUB}/tiny/encoder.pt"),
)
BASE = _galileo(
    name="galileo-base",
    revision="1",
    dimensions=768,
    tokens=_tokens(768),
    batch=32,
    build=partial(network, width=768, depth=12, heads=12),
    parameters=85_613_376,
    source=Source(url=f"{_HUB}/base/encoder.pt"),
)
