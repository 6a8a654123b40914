"""How a foundation model is used on an archive: what a user may choose, and its defaults."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """Choices beside the model's name; None leaves one to the model."""

    tokens: bool = False
    """A vector per token, each for its own part of the ground, instead of one per chip."""
    chip_size: int | None = None
    """Pixels of the archive per chip side. A chip of a pooled model is centred on its patch."""
    token_size: int | None = None
    """Pixels of the archive per token side."""
    overlap: int | None = None
    """Pixels of the archive that neighbouring chips of a token model share at least; their
    tokens are blended. 0: each tile has chips of its own, side by side."""
    dates: int = 1
    """Dates that a vector is made from: its own and those before it."""
    allow_mismatch: bool = False
    """Whether images of another level or resolution than the model's are taken; recorded."""
