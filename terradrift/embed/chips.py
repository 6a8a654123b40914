"""Cut the image of a tile into the chips that a model takes (pure).

A pooled model gets one chip per patch, with the surroundings that its card asks for. A model
with many tokens per chip gets chips that lie over the tile as `lattice` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terradrift.chip import Chips
from terradrift.embed import lattice
from terradrift.embed.contract import missing_bands
from terradrift.embed.windows import Layer, select
from terradrift.grid import tile_patches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from terradrift.chip import TileImage
    from terradrift.embed.protocol import ModelCard

__all__ = ["Cut", "Places", "cut", "missing_bands", "select"]

_BATCH_BYTES = 64 << 20
"""Bytes of pixels per batch: 24 chips of 224 x 224 pixels x 13 bands."""
_CUDA_BATCH_BYTES = 1 << 30
"""The same where a GPU computes; the model takes of it as many at a time as it holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where `n` chips lie on a tile, and what their tokens count.

    A pooled chip has one token: its patch.
    """

    at: NDArray[np.intp]
    """(n, 2), y and x of the upper left pixel, from the tile's north-west corner."""
    first: NDArray[np.intp]
    """(n, 2), row and column of the first token, from the image's north-west patch."""
    weights_y: NDArray[np.float32]
    """(n, y), share of each row of tokens in the vector of its ground."""
    weights_x: NDArray[np.float32]
    """(n, x), likewise of each column."""

    def __len__(self) -> int:
        return len(self.at)

    def part(self, start: int, stop: int) -> Places:
        """Some of them."""
        some = slice(start, stop)
        return Places(
            self.at[some], self.first[some], self.weights_y[some], self.weights_x[some]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Some chips, and where their tokens lie."""

    chips: Chips
    places: Places
    tokens: int
    """Tokens per patch side."""


def cut(
    image: TileImage,
    card: ModelCard,
    wanted: NDArray[np.intp],
    past: Sequence[TileImage] = (),
    *,
    cuda: bool = False,
) -> Iterator[Cut]:
    """Chips that cover the patches `wanted` (indices into the image), in batches.

    `past` are images of the same tile on earlier days, oldest first; where one has no clear
    pixel in a chip, that date is not there. A batch is what the card says, or fewer where
    their pixels would fill much memory; for `cuda` as many as fill a GB, whatever the card says.

    Raises:
        ValueError: bands are missing, the halo is smaller than the model's context, or the
            patches do not fit the model's chips.
    """
    if len(wanted) == 0:
        return
    _fits(image, card)
    layer = Layer.of(image, card)
    before = [Layer.of(one, card) for one in past]
    size = card.chip_size or image.patch_px + 2 * card.context_px
    pooled = card.token_stride is None
    places = (
        _patches(layer, card, wanted)
        if card.token_stride is None
        else _lattice(layer, card.token_stride, card, wanted)
    )
    chip_bytes = 4 * len(card.bands) * size**2 * (1 + len(past))
    most = max(1, _most(card, chip_bytes, cuda=cuda))
    # Batches of about one size: 36 chips are 18 and 18, not 32 and 4.
    batch = -(-len(places) // -(-len(places) // most))
    for start in range(0, len(places), batch):
        some = places.part(start, start + batch)
        middles = some.at + size / 2
        these = wanted[start : start + batch]
        gone, times = _past(before, some.at, size)
        chips = Chips(
            pixels=layer.windows(some.at, size),
            bands=card.bands,
            wavelengths=layer.wavelengths,
            times=image.times[these] if pooled else layer.times(middles),
            centers=image.centers[these] if pooled else layer.centers(middles),
            gsd=image.gsd,
            level=image.level,
            past=gone,
            past_times=times,
        )
        yield Cut(chips, some, image.patch_px // (card.token_stride or image.patch_px))


def _most(card: ModelCard, chip_bytes: int, *, cuda: bool) -> int:
    if cuda:
        return _CUDA_BATCH_BYTES // chip_bytes
    return min(card.batch, _BATCH_BYTES // chip_bytes)


def _fits(image: TileImage, card: ModelCard) -> None:
    size, stride = image.patch_px, card.token_stride
    if image.halo_px < card.context_px:
        raise ValueError(
            f"model {card.name} looks {card.context_px} pixels past a patch's edge; "
            f"the image was read with a halo of {image.halo_px}"
        )
    if stride is None:
        if card.chip_size not in (None, size + 2 * card.context_px):
            raise ValueError(
                f"model {card.name} takes patches of {card.chip_size - 2 * card.context_px} "
                f"pixels, got {size}; "
                f"pass --patch-size {(card.chip_size - 2 * card.context_px) * image.gsd:g}"
            )
    elif size % stride:
        raise ValueError(
            f"model {card.name} gives a vector per {stride} pixels; a patch must be a "
            f"whole number of them, got {size} pixels; "
            f"pass --patch-size {stride * max(1, round(size / stride)) * image.gsd:g}"
        )


def _patches(layer: Layer, card: ModelCard, wanted: NDArray[np.intp]) -> Places:
    """A chip around each patch."""
    image = layer.image
    first = np.column_stack([image.rows[wanted], image.cols[wanted]]).astype(np.intp)
    at = (first - (layer.top, layer.left)) * image.patch_px - card.context_px
    one = np.ones((len(wanted), 1), np.float32)
    return Places(at, first, one, one)


def _lattice(
    layer: Layer, stride: int, card: ModelCard, wanted: NDArray[np.intp]
) -> Places:
    """The chips of the tile's lattice that count for a wanted patch, row by row."""
    image = layer.image
    tokens, chip = image.patch_px // stride, (card.chip_size or 0) // stride
    side = tile_patches(image.patch_px)
    tile = side * tokens
    starts = lattice.starts(tile, chip, card.overlap_px // stride)
    weights = lattice.weights(starts, tile, chip)
    covers = np.zeros((len(starts), side), np.intp)
    which, token = np.nonzero(weights)
    covers[which, (starts[which] + token) // tokens] = 1
    there = np.zeros((side, side), np.intp)
    there[image.rows[wanted] - layer.top, image.cols[wanted] - layer.left] = 1
    row, col = np.nonzero(covers @ there @ covers.T)
    first = np.column_stack([starts[row], starts[col]])
    shift = np.array([layer.top, layer.left]) * tokens
    return Places(first * stride, first + shift, weights[row], weights[col])


def _past(
    layers: Sequence[Layer], at: NDArray[np.intp], size: int
) -> tuple[NDArray[np.float32] | None, NDArray[np.datetime64] | None]:
    """Pixels (n, t, band, y, x) and instants (n, t) of earlier images; None without any."""
    if not layers:
        return None, None
    pixels = np.stack([layer.windows(at, size) for layer in layers], axis=1)
    times = np.stack([layer.times(at + size / 2) for layer in layers], axis=1)
    seen = np.any(np.all(np.isfinite(pixels), axis=2), axis=(2, 3))
    times[~seen] = np.datetime64("NaT")
    return pixels, times
