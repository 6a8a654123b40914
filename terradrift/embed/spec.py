"""A foundation model as data: what it takes, what it gives, where its weights come from.

Importing a spec imports no torch, so that models can be listed quickly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from terradrift.embed.checkpoint import Layout
    from terradrift.embed.foundation import Foundation
    from terradrift.embed.how import How
    from terradrift.embed.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The official place of a checkpoint."""

    url: str
    """https address of the file at a pinned revision."""
    sha256: str = ""
    """Digest of that file; empty where the publisher gives none that we could verify."""
    sha256_prefix: str = ""
    """First digits of that digest, where the publisher gives no more than those."""
    bytes: int | None = None
    """Size of the file where known."""
    unsafe: bool = False
    """Whether the file is a pickle of more than tensors, which is never opened here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A foundation model. An instance is what an entry point of an embedder names."""

    name: str
    revision: str
    licence: str
    """SPDX identifiers, of weights and code where they differ."""
    citation: str
    """Paper and repository."""
    bands: tuple[str, ...]
    """Names as in `chip.BANDS`, in the order that the network takes them."""
    missing: Literal["refuse", "zero", "drop"] = "refuse"
    """What is done about a band that the archive lacks: `drop` leaves it out of the network,
    which is told by the band's wavelength being NaN."""
    optional: tuple[str, ...] = ()
    """Bands that may be missing unless `missing` is `refuse`; empty: any but all."""
    level: str = "any"
    """Processing level of the training data: `L1C`, `L2A` or `any`."""
    gsd: float | None = 10.0
    """Metres per pixel of the training data; None: any."""
    sensor: str = "sentinel-2"
    """Constellation of the training data, or of those of the constants that it is used with,
    as archives name it; `any` for a model that compares pictures of whatever origin."""
    preprocessing: str
    """Exactly what `prepare` does, in one line: units, offset, constants, clipping."""
    dimensions: int | None
    """Numbers per pooled vector; None: it gives tokens only."""
    tokens: Mapping[int, int] = field(default_factory=dict)
    """Pixels per token side and the numbers of such a token, the default first."""
    chip_size: int
    """Native pixels per chip side."""
    chip_multiple: int = 1
    """Other chip sides must be a multiple of this; 0: only the native one."""
    resized: int | None = None
    """Pixels to which a chip of any size is brought before the network, None: as it is. A
    token of p pixels there covers p * chip_size / resized pixels of the chip."""
    dates: int = 1
    """Dates the network can take at most."""
    batch: int = 32
    bf16: bool = True
    """Whether bfloat16 keeps the cosine to float32 at 0.9999 or more, with chips of at least
    a quarter of the native side; smaller ones are never run in it unasked."""
    layout: Layout
    source: Source
    build: Callable[..., Network]
    """`build(output=..., token_size=...)`, random weights, official sizes; other keyword
    arguments shrink the network for tests."""
    parameters: int | None = None
    """Number of parameters of the network."""

    def embedder(
        self, bands: tuple[str, ...], *, patch_px: int, how: How
    ) -> Foundation:
        """The model with its weights, for images of `bands` and patches of `patch_px`.

        Raises:
            WeightsError: the weights are not on this machine, or damaged.
            ValueError: bands are missing, or the choices do not fit the model.
        """
        from terradrift.embed.foundation import opened

        return opened(self, bands, patch_px=patch_px, how=how)
