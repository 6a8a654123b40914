"""What a model is: its card, and one method from chips to vectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import Chips


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """All that the rest of the package needs to know of a model."""

    name: str
    revision: str
    licence: str
    """SPDX identifier of code and weights."""
    bands: tuple[str, ...]
    """Names as in `chip.BANDS`, in the order that the model takes them."""
    dimensions: int
    """Numbers per vector."""
    preprocessing: str
    """Exactly what is done to reflectance; two wordings are two tables."""
    source: str
    """Where method and weights come from."""
    weights_sha256: str
    """Digest of the numbers that make the model; empty for a model without any."""
    weights: str | None = None
    """Where the weights lie, None for a model without any."""
    level: str = "any"
    """Processing level the model was made for: `any`, `L1C` or `L2A`."""
    gsd: float | None = None
    """Metres per pixel the model was made for, None: any."""
    sensor: str = "any"
    """Constellation the model was made for, such as `sentinel-2`, or `any`."""
    chip_size: int | None = None
    """Pixels per chip side, None: one patch and its context."""
    token_stride: int | None = None
    """Pixels per token side of a model with many vectors per chip, None: one per chip."""
    context_px: int = 0
    """Pixels of surroundings that images must be read with on every side: those of a patch
    that its vector depends on; of a token model: those that chips over it may hold, so that
    a place has the same vector whichever part of its tile is read."""
    overlap_px: int = 0
    """Pixels that neighbouring chips of a token model share at least; tokens of the same
    ground are blended."""
    dates: int = 1
    """Dates that a vector is made from at most: its own and those before it."""
    missing: Literal["refuse", "zero", "drop"] = "refuse"
    """What is done about a band that the archive lacks: `zero` gives reflectance 0 and the
    band's usual wavelength, `drop` reflectance 0 and a wavelength of NaN."""
    optional: tuple[str, ...] = ()
    """Bands that may be missing unless `missing` is `refuse`; empty: any but all."""
    batch: int = 1024
    """Chips per call that suit the model."""
    bf16: bool = False
    """Whether bfloat16 keeps the cosine to float32 at 0.9999 or more, with chips as large as
    these."""

    def __post_init__(self) -> None:
        if min(self.dimensions, self.batch, self.dates) < 1 or self.context_px < 0:
            raise ValueError(
                f"model {self.name}: dimensions and batch must be at least 1, so must "
                f"dates, and context_px at least 0, got {self.dimensions}, {self.batch}, "
                f"{self.dates} and {self.context_px}"
            )
        if not set(self.optional) <= set(self.bands):
            raise ValueError(
                f"model {self.name}: bands that may be missing must be bands of the "
                f"model, got {', '.join(self.optional)}"
            )
        if self.token_stride is not None:
            self._check_tokens(self.token_stride)
        elif self.overlap_px:
            raise ValueError(
                f"model {self.name}: only chips of a token model share pixels, "
                f"got overlap_px {self.overlap_px} without token_stride"
            )

    def _check_tokens(self, stride: int) -> None:
        if stride < 1 or self.chip_size is None or self.chip_size % stride:
            raise ValueError(
                f"model {self.name}: chip_size must be a multiple of token_stride "
                f"{stride}, got {self.chip_size}"
            )
        if self.context_px % stride or self.context_px >= self.chip_size:
            raise ValueError(
                f"model {self.name}: context_px must be a multiple of token_stride "
                f"{stride} and below the chip, got {self.context_px}"
            )
        if self.overlap_px % stride or not 0 <= self.overlap_px < self.chip_size:
            raise ValueError(
                f"model {self.name}: overlap_px must be a multiple of token_stride "
                f"{stride}, at least 0 and below the chip, got {self.overlap_px}"
            )


class Embedder(Protocol):
    """Chips in, vectors out.

    A registered class says by `needs_fit` how it is made for an archive: by
    `for_bands(bands)`, or once by `fit(sample)`, then `save(path)` and `load(path)`.
    """

    @property
    def card(self) -> ModelCard:
        """What the model is and needs."""
        ...

    def embed(self, chips: Chips) -> NDArray[np.float32]:
        """(n, d) vectors, or (n, y, x, d) of a model with a token per patch.

        `chips` has the bands of the card in its order. Each chip is embedded as if it were
        alone; one without a clear pixel gives NaN.
        """
        ...


@runtime_checkable
class Placeable(Protocol):
    """An embedder that can compute on another device than the CPU."""

    def to(self, device: str) -> Embedder:
        """The same model, computing on a torch device such as `cuda`."""
        ...


class Fitted(Embedder, Protocol):
    """An embedder that is made from the archive's own pixels and stored with it."""

    needs_fit: ClassVar[Literal[True]]
    sample_context_px: ClassVar[int]
    """Pixels of surroundings that chips of the sample must have on every side."""

    @classmethod
    def fit(cls, sample: Chips) -> Self:
        """The model of these pixels, the same for the same sample."""
        ...

    def save(self, path: Path) -> None:
        """Write all numbers of the model to a safetensors file."""
        ...

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; it gives the same vectors."""
        ...
