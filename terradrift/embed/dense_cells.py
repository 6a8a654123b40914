"""Dense features of a pooled model: every cell is asked about as if it were a patch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from terradrift.embed import dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.chip import Chips
    from terradrift.embed.protocol import Embedder, ModelCard

_BLOCK_BYTES = 16 << 20
"""Bytes of chips at a time."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Vectors of squares of `stride` pixels, each with the surroundings that the card asks for.

    At one pixel this is, for `spectral`, the bands and indices themselves; for `mosaiks` it
    is the rectified responses of its kernels before they are pooled over a patch.
    """

    embedder: Embedder
    stride: int

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"cells are 1 pixel or more wide, got {self.stride}")

    @property
    def card(self) -> ModelCard:
        """The model's."""
        return self.embedder.card

    def map(self, image: Chips) -> NDArray[np.float32]:
        """As `DenseFeatures.map`; beyond the image there is nothing clear."""
        dense.check(image, self.card)
        pixels, context = image.pixels[0], self.card.context_px
        known = dense.known_cells(pixels, self.stride)
        (h, w), (_, y, x) = known.shape, pixels.shape
        side = self.stride + 2 * context
        below = h * self.stride - y, w * self.stride - x
        margin = [(context, context + more) for more in below]
        wide = np.pad(pixels, ((0, 0), *margin), constant_values=np.nan)
        windows = sliding_window_view(wide, (side, side), (1, 2))  # type: ignore[call-overload]  # its stubs know one axis only
        cells = windows[:, :: self.stride, :: self.stride].transpose(1, 2, 0, 3, 4)
        out = np.full((self.card.dimensions, h, w), np.nan, np.float32)
        row, col = np.nonzero(known)
        many = max(1, _BLOCK_BYTES // (4 * len(pixels) * side**2))
        for start in range(0, len(row), many):
            at = row[start : start + many], col[start : start + many]
            n = len(at[0])
            chips = replace(
                image,
                pixels=cells[at],
                times=np.repeat(image.times, n),
                centers=np.repeat(image.centers, n, axis=0),
            )
            out[:, at[0], at[1]] = self.embedder.embed(chips).T
        return out
