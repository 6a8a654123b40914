"""Vectors of patches out of the tokens of chips that overlap (pure but for its own sums)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.chip import TileImage
    from terradrift.embed.chips import Cut


class Blend:
    """Gathers what a model gives for the chips of one image.

    The vector of a token is the weighted mean over all chips that hold it, that of a patch
    the mean of its tokens. A token that is NaN, or has no clear pixel, is left out.
    """

    def __init__(self, image: TileImage, dimensions: int) -> None:
        self._image = image
        shape = int(image.rows.max(initial=-1)) + 1, int(image.cols.max(initial=-1)) + 1
        self._sums = np.zeros((*shape, dimensions), np.float32)
        self._weights = np.zeros(shape, np.float32)

    def add(self, cut: Cut, given: NDArray[np.float32]) -> None:
        """Take in (n, d) vectors of chips, or (n, y, x, d) of their tokens."""
        if given.ndim == 2:
            row, col = cut.places.first.T
            self._sums[row, col] = given
            self._weights[row, col] = 1
            return
        places = cut.places
        there = _clear(cut, given.shape[1]) & ~np.isnan(given).any(axis=3)
        weights = places.weights_y[:, :, None] * places.weights_x[:, None, :] * there
        tokens = np.where(there[..., None], given, 0) * weights[..., None]
        for chip, weight, first in zip(
            tokens, weights, places.first.tolist(), strict=True
        ):
            _add(self._sums, chip, first, cut.tokens)
            _add(self._weights[..., None], weight[..., None], first, cut.tokens)

    def vectors(self, patches: NDArray[np.intp]) -> NDArray[np.float32]:
        """(n, d) of these patches of the image; NaN for one without any token."""
        place = self._image.rows[patches], self._image.cols[patches]
        sums, weights = self._sums[place], self._weights[place][:, None]
        found = np.full(sums.shape, np.nan, np.float32)
        return np.divide(sums, weights, out=found, where=weights > 0)


def _clear(cut: Cut, tokens: int) -> NDArray[np.bool_]:
    """(n, y, x) whether a token has a clear pixel on its own date."""
    clear = np.all(np.isfinite(cut.chips.pixels), axis=1)
    n, height, _ = clear.shape
    side = height // tokens
    blocks = clear.reshape(n, tokens, side, tokens, side)
    found: NDArray[np.bool_] = np.any(blocks, axis=(2, 4))
    return found


def _add(
    grid: NDArray[np.float32],
    tokens: NDArray[np.float32],
    first: list[int],
    per_patch: int,
) -> None:
    """Add tokens (y, x, d) that begin at `first` to the sums (row, col, d) of patches."""
    if per_patch > 1:
        edges = [
            (at % per_patch, -(at + size) % per_patch)
            for at, size in zip(first, tokens.shape, strict=False)
        ]
        whole = np.pad(tokens, [*edges, (0, 0)])
        rows, cols = whole.shape[0] // per_patch, whole.shape[1] // per_patch
        tokens = whole.reshape(rows, per_patch, cols, per_patch, -1).sum(axis=(1, 3))
    row, col = (at // per_patch for at in first)
    top, left = max(row, 0), max(col, 0)
    bottom = max(min(row + tokens.shape[0], grid.shape[0]), top)
    right = max(min(col + tokens.shape[1], grid.shape[1]), left)
    grid[top:bottom, left:right] += tokens[
        top - row : bottom - row, left - col : right - col
    ]
