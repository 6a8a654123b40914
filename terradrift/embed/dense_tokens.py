"""Dense features of a model with tokens: chips over the image, blended where they overlap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from terradrift.embed import dense

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from terradrift.chip import Chips
    from terradrift.embed.protocol import Embedder, ModelCard

_BATCH_BYTES = 64 << 20
"""Bytes of chips at a time, beside what the card says."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of chips that lie over an image of any size.

    Chips are at equal steps and share what the card says at least, the first and last on the
    image's borders; an image smaller than a chip is one chip, with nothing clear beyond it.
    Where chips share a token it is their mean, weighted by how far it is from their edges.
    """

    embedder: Embedder

    def __post_init__(self) -> None:
        if self.card.token_stride is None or self.card.chip_size is None:
            raise ValueError(
                f"expected a model with tokens, got {self.card.name}, which has one vector "
                "per chip"
            )

    @property
    def card(self) -> ModelCard:
        """The model's."""
        return self.embedder.card

    @property
    def stride(self) -> int:
        """Pixels per token side."""
        return self.card.token_stride or 0

    def map(self, image: Chips) -> NDArray[np.float32]:
        """As `DenseFeatures.map`."""
        dense.check(image, self.card)
        known = dense.known_cells(image.pixels[0], self.stride)
        chip = (self.card.chip_size or 0) // self.stride
        overlap = self.card.overlap_px // self.stride
        ramp = ramps(chip)
        weight = ramp[:, None] * ramp
        h, w = known.shape
        sums = np.zeros((h, w, self.card.dimensions + 1), np.float32)
        for places, given in self._embedded(image, known.shape, chip, overlap):
            for (row, col), tokens in zip(places, given, strict=True):
                there = np.isfinite(tokens).all(axis=2)
                share = np.where(there, weight, 0)[: h - row, : w - col]
                part = np.where(there[..., None], tokens, 0)[: h - row, : w - col]
                inside = sums[row : row + chip, col : col + chip]
                inside[..., :-1] += part * share[..., None]
                inside[..., -1] += share
        known &= sums[..., -1] > 0
        out = np.full((self.card.dimensions, h, w), np.nan, np.float32)
        out[:, known] = (sums[known, :-1] / sums[known, -1:]).T
        return out

    def _embedded(
        self, image: Chips, cells: tuple[int, ...], chip: int, overlap: int
    ) -> Iterator[tuple[list[tuple[int, int]], NDArray[np.float32]]]:
        """Places (row, col) of chips in tokens, and their tokens (n, y, x, d)."""
        pixels, side = image.pixels[0], chip * self.stride
        places = [
            (row, col)
            for row in starts(cells[0], chip, overlap)
            for col in starts(cells[1], chip, overlap)
        ]
        bytes_each = 4 * len(pixels) * side**2
        many = max(1, min(self.card.batch, _BATCH_BYTES // bytes_each))
        for first in range(0, len(places), many):
            some = places[first : first + many]
            cut = np.full((len(some), len(pixels), side, side), np.nan, np.float32)
            for one, (row, col) in zip(cut, some, strict=True):
                y, x = row * self.stride, col * self.stride
                part = pixels[:, y : y + side, x : x + side]
                one[:, : part.shape[1], : part.shape[2]] = part
            chips = replace(
                image,
                pixels=cut,
                times=np.repeat(image.times, len(some)),
                centers=np.repeat(image.centers, len(some), axis=0),
            )
            yield some, self.embedder.embed(chips)


def starts(cells: int, chip: int, overlap: int) -> list[int]:
    """First token of each chip along one axis of `cells` tokens."""
    if cells <= chip:
        return [0]
    count = -(-(cells - overlap) // (chip - overlap))
    return [round(at) for at in np.linspace(0, cells - chip, count)]


def ramps(chip: int) -> NDArray[np.float32]:
    """(chip,) weight of each token of a chip along one axis: 1 at its edges, and rising."""
    place = np.arange(chip)
    return np.asarray(np.minimum(place, place[::-1]) + 1, np.float32)
