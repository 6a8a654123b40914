"""Dense features: a vector for every cell of an image, by any embedder.

A model with tokens gives them (`dense_tokens`); a pooled model without a chip of its own is
asked about every cell as if it were a patch (`dense_cells`). Vectors of cells are of the same
space as the vectors of patches only for a token model, whose patch is the mean of its tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from terradrift.chip import Chips, TileImage
from terradrift.embed.windows import select

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.embed.protocol import Embedder, ModelCard

CELL_PX = 4
"""Pixels per cell side of a pooled model, where nothing else is asked for."""


class DenseFeatures(Protocol):
    """An image in, a map of vectors out."""

    @property
    def card(self) -> ModelCard:
        """The model that gives the vectors."""
        ...

    @property
    def stride(self) -> int:
        """Pixels per cell side."""
        ...

    def map(self, image: Chips) -> NDArray[np.float32]:
        """(d, h, w) of one image of any size, as `image` gives it.

        h and w are the cells that cover it, from its upper left corner on. A cell without a
        clear pixel is NaN.

        Raises:
            ValueError: more than one image, or other bands than the card's.
        """
        ...


def dense(
    embedder: Embedder, *, patch_px: int, cell_px: int | None = None
) -> DenseFeatures:
    """The dense features of a model; `cell_px` is the side of a pooled model's cells.

    Raises:
        ValueError: a pooled model with chips of a fixed size, or cells that do not fit.
    """
    from terradrift.embed.dense_cells import Cells
    from terradrift.embed.dense_tokens import Tokens

    card = embedder.card
    if card.token_stride is not None:
        if cell_px not in (None, card.token_stride):
            raise ValueError(
                f"model {card.name} has cells of {card.token_stride} pixels, its tokens, "
                f"got cell_px {cell_px}; leave it out, or choose another chip size"
            )
        return Tokens(embedder)
    if card.chip_size is not None:
        raise ValueError(
            f"model {card.name} gives one vector per chip of {card.chip_size} pixels, no "
            "map; choose its tokens where it has any, or another model"
        )
    return Cells(embedder, cell_px or min(CELL_PX, patch_px))


def image(
    pixels: NDArray[np.float32],
    *,
    bands: tuple[str, ...],
    card: ModelCard,
    gsd: float,
    wavelengths: NDArray[np.float32] | None = None,
    time: np.datetime64 | None = None,
    center: tuple[float, float] = (np.nan, np.nan),
    level: str = "",
) -> Chips:
    """One image for `DenseFeatures.map`: reflectance (band, y, x), NaN where not clear.

    Bands are brought into the card's order; `center` is longitude and latitude in degrees.

    Raises:
        ValueError: bands are missing that the card does not go without.
    """
    if wavelengths is None:
        wavelengths = np.full(len(bands), np.nan, np.float32)
    when = np.array([np.datetime64("NaT") if time is None else time], "datetime64[us]")
    none = np.empty(0, np.int32)
    chosen, waves = select(
        TileImage(
            tile="",
            scene_ids=(),
            bands=bands,
            wavelengths=wavelengths,
            level=level,
            gsd=gsd,
            pixels=pixels,
            patch_px=1,
            halo_px=0,
            rows=none,
            cols=none,
            patch_ids=np.empty(0, np.str_),
            patch_scenes=none,
            times=when[:0],
            clear_percent=np.empty(0, np.float32),
            centers=np.empty((0, 2)),
        ),
        card,
    )
    return Chips(
        pixels=chosen[None],
        bands=card.bands,
        wavelengths=waves,
        times=when,
        centers=np.array([center], np.float64),
        gsd=gsd,
        level=level,
    )


def check(given: Chips, card: ModelCard) -> None:
    """Refuse what is not one image in the bands of the card.

    Raises:
        ValueError: says what came.
    """
    if len(given) != 1 or given.bands != card.bands:
        raise ValueError(
            f"expected one image of bands {', '.join(card.bands)} for {card.name}, got "
            f"{len(given)} of {', '.join(given.bands)}"
        )


def known_cells(pixels: NDArray[np.float32], stride: int) -> NDArray[np.bool_]:
    """(h, w) whether a cell of an image (band, y, x) has a pixel clear in all bands."""
    clear = np.all(np.isfinite(pixels), axis=0)
    y, x = clear.shape
    rows, cols = np.arange(0, y, stride), np.arange(0, x, stride)
    by_row = np.logical_or.reduceat(clear, rows, axis=0)
    found: NDArray[np.bool_] = np.logical_or.reduceat(by_row, cols, axis=1)
    return found
