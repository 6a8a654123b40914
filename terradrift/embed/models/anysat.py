"""AnySat: one model for many sensors; here its branch of Sentinel-2 series."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from terradrift.embed.checkpoint import Layout
from terradrift.embed.networks.anysat_sentinel2 import BANDS, MEAN, STD
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terradrift.embed.network import Network, Output

_TOKEN = 4
"""Pixels per token side where none is chosen: the smallest of those that S2NAIP-urban and
PASTIS-HD, most of the training data by area, were cut into."""
_TOKENS = (_TOKEN, 8, 16, 2, 1)


def base(
    *,
    output: Output,
    token_size: int | None = None,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    dim: int = 768,
    depth: int = 6,
    heads: int = 12,
) -> Network:
    """The network with random weights.

    Raises:
        ValueError: a token size that is not on the card.
    """
    from terradrift.embed.networks.anysat import AnySat

    size = token_size or _TOKEN
    if size not in _TOKENS:
        raise ValueError(
            f"anysat has tokens of {', '.join(map(str, sorted(_TOKENS)))} pixels, got {size}"
        )
    return AnySat(
        output=output,
        token_size=size,
        dim=dim,
        depth=depth,
        heads=heads,
        mean=mean,
        std=std,
    )


def normalised(mean: Sequence[float], std: Sequence[float]) -> Spec:
    """The model for digital numbers of other mean and deviation, each ten in its order.

    AnySat was trained with those of each data set and its weights hold none; other
    constants are another model, whose vectors are not to be mixed with these.
    """
    return Spec(
        name="anysat",
        revision="base",
        licence="MIT",
        citation="Astruc et al. 2025, AnySat, arXiv 2412.14123; github.com/gastruc/AnySat",
        bands=BANDS,
        level="L2A",
        gsd=10.0,
        preprocessing=(
            "Sentinel-2 L2A, offset removed; (10000 * reflectance - mean) / std, mean "
            f"{_listed(mean)}, std {_listed(std)}; day of year from 0; pixels that are not "
            "clear hold the mean of those that are; a date without any takes no part"
        ),
        dimensions=768,
        tokens=dict.fromkeys(_TOKENS, 768),
        # The tiles of S2NAIP-urban, by area the largest of its training sets: 640 m.
        chip_size=64,
        chip_multiple=_TOKEN,
        # A year by the half month; a further date adds 6 % to the work of one.
        dates=24,
        batch=4,
        layout=Layout(
            wrappers=("state_dict",),
            ignored=(r"projector_(?!s2\.)", r"projector_s2\.pad_parameter$"),
        ),
        # The publisher pins neither revision nor digest.
        source=Source(
            url="https://huggingface.co/g-astruc/AnySat/resolve/main/models/AnySat.pth"
        ),
        build=partial(base, mean=mean, std=std),
        parameters=94_955_616,
    )


def _listed(values: Sequence[float]) -> str:
    return " ".join(map(str, values))


ANYSAT = normalised(MEAN, STD)
