"""Presto: a transformer over the time series of one pixel.

Tseng et al. 2023, "Lightweight, Pre-trained Transformers for Remote Sensing Timeseries",
https://github.com/nasaharvest/presto. Of its inputs the ten bands of Sentinel-2 are given,
NDVI made from them, and the place on Earth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift.embed.checkpoint import Layout
from terradrift.embed.models.galileo import BANDS
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from terradrift.embed.network import Network, Output

_TOKENS = (4, 1, 2, 8, 16)


def network(
    *,
    output: Output = "pooled",
    token_size: int | None = None,
    width: int = 128,
    depth: int = 2,
    heads: int = 8,
    mlp_ratio: int = 4,
    dates: int = 24,
) -> Network:
    """Presto with random weights."""
    from terradrift.embed.networks.presto import Presto

    if output == "tokens" and token_size is None:
        token_size = _TOKENS[0]
    return Presto(
        output=output,
        token_size=token_size,
        width=width,
        depth=depth,
        heads=heads,
        mlp_ratio=mlp_ratio,
        dates=dates,
    )


_COMMIT = "13173d028f035abcbcc3b13829314323a5c15d02"

PRESTO = Spec(
    name="presto",
    revision="1",
    licence="MIT",
    citation="Tseng et al. 2023, Presto, arXiv:2304.14065; "
    "https://github.com/nasaharvest/presto",
    bands=BANDS,
    # A group of bands that lacks one is hidden, as both were trained with hidden groups.
    missing="drop",
    level="L1C",
    preprocessing="reflectance (DN / 10000 without the offset of 1000), not below 0, the mean "
    "of the clear pixels of each token; NDVI of that (0 where its sum is 0); dates "
    "without any clear pixel, and groups that lack a band, left out; months from the dates; "
    "the place of the chip's middle; pooled: the mean of the vectors of squares of 2 pixels "
    "(of 1 where the chip is odd)",
    dimensions=128,
    tokens=dict.fromkeys(_TOKENS, 128),
    # Pixels do not look at each other, so a chip is no more than a batch: as small as its
    # token, it needs no overlap.
    chip_size=_TOKENS[0],
    dates=24,
    batch=1024,
    # The cosine to float32 is 0.9994 or more.
    bf16=False,
    layout=Layout(ignored=(r"decoder\.",)),
    build=network,
    parameters=404_160,
    source=Source(
        url="https://raw.githubusercontent.com/nasaharvest/presto/"
        f"{_COMMIT}/data/default_model.pt",
        sha256="559c9d76f525bdf2dd3774da8b1e7f1510769b73baacac12e9e4d8d5c67fbe65",
        bytes=3_321_716,
    ),
)
