"""Clay: a masked autoencoder of any bands by wavelength (Clay Foundation, 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift.embed.checkpoint import Layout
from terradrift.embed.networks.clay_sentinel2 import BANDS, MEAN, STD, WAVELENGTH
from terradrift.embed.spec import Source, Spec

if TYPE_CHECKING:
    from terradrift.embed.network import Network, Output

_PREPROCESSING = (
    "Sentinel-2 L2A, offset removed; (10000 * reflectance - mean) / std, mean "
    f"{' '.join(map(str, MEAN))}, std {' '.join(map(str, STD))}; kernels by wavelength "
    f"{' '.join(map(str, WAVELENGTH))} um; ISO week, UTC hour, latitude, longitude (zeros "
    "where unknown), gsd; a missing band is left out"
)
_LAYOUT = Layout(
    wrappers=("state_dict",),
    prefixes=("model.encoder.", "encoder.", ""),
    ignored=(r"(model\.)?(proj|decoder|teacher)\.",),
)
_FILES = "https://huggingface.co/made-with-clay/Clay/resolve/main"


def large(
    *,
    output: Output,
    token_size: int | None = None,
    dim: int = 1024,
    depth: int = 24,
    heads: int = 16,
    dim_head: int = 64,
) -> Network:
    """The network of v1.5 with random weights.

    Raises:
        ValueError: a token size other than 8 pixels.
    """
    from terradrift.embed.networks.clay import PATCH, Clay

    if token_size not in (None, PATCH):
        raise ValueError(f"clay has tokens of {PATCH} pixels, got {token_size}")
    return Clay(output=output, dim=dim, depth=depth, heads=heads, dim_head=dim_head)


def base(
    *,
    output: Output,
    token_size: int | None = None,
    dim: int = 768,
    depth: int = 12,
    heads: int = 12,
    dim_head: int = 64,
) -> Network:
    """The network of v1.0 with random weights: the same mathematics, smaller.

    Raises:
        ValueError: a token size other than 8 pixels.
    """
    return large(
        output=output,
        token_size=token_size,
        dim=dim,
        depth=depth,
        heads=heads,
        dim_head=dim_head,
    )


V1_5 = Spec(
    name="clay-v1.5",
    revision="v1.5",
    licence="Apache-2.0",
    citation="Clay Foundation Model v1.5, 2024; github.com/Clay-foundation/model",
    bands=BANDS,
    missing="drop",
    level="L2A",
    gsd=10.0,
    preprocessing=_PREPROCESSING,
    dimensions=1024,
    tokens={8: 1024},
    chip_size=256,
    chip_multiple=8,
    batch=16,
    layout=_LAYOUT,
    # The publisher pins neither revision nor digest; the file holds pickled settings.
    source=Source(url=f"{_FILES}/v1.5/clay-v1.5.ckpt", unsafe=True),
    build=large,
    parameters=311_442_944,
)
V1_0 = Spec(
    name="clay-v1.0",
    revision="v1.0",
    licence="LicenseRef-OpenRAIL-M (weights), Apache-2.0 (code)",
    citation="Clay Foundation Model v1.0, 2024; github.com/Clay-foundation/model",
    bands=BANDS,
    missing="drop",
    level="L2A",
    gsd=10.0,
    preprocessing=_PREPROCESSING,
    dimensions=768,
    tokens={8: 768},
    chip_size=256,
    chip_multiple=8,
    batch=32,
    layout=_LAYOUT,
    # Its last official place: the publisher has since removed the file.
    source=Source(url=f"{_FILES}/v1/clay-v1-base.ckpt", unsafe=True),
    build=base,
    parameters=92_102_144,
)
