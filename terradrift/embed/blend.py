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
        # The last number of each patch is the sum of weights.
        self._sums = np.zeros((*shape, dimensions + 1), np.float32)

    def add(self, cut: Cut, given: NDArray[np.float32]) -> None:
        """Take in (n, d) vectors of chips, or (n, y, x, d) of their tokens."""
        places = cut.places
        if given.ndim == 2:
            row, col = places.first.T
            self._sums[row, col, :-1] = given
            self._sums[row, col, -1] = 1
            return
        there = _clear(cut, given.shape[1]) & ~np.isnan(given).any(axis=3)
        weights = places.weights_y[:, :, None] * places.weights_x[:, None, :]
        tokens = np.empty((*there.shape, given.shape[3] + 1), np.float32)
        np.multiply(given, weights[..., None], out=tokens[..., :-1])
        tokens[..., -1] = weights
        tokens[~there] = 0
        for chip, first in zip(tokens, places.first.tolist(), strict=True):
            _add(self._sums, _patches(chip, first, cut.tokens), first, cut.tokens)

    def vectors(self, patches: NDArray[np.intp]) -> NDArray[np.float32]:
        """(n, d) of these patches of the image; NaN for one without any token."""
        found = self._sums[self._image.rows[patches], self._image.cols[patches]]
        sums, weights = found[:, :-1], found[:, -1:]
        mean = np.full(sums.shape, np.nan, np.float32)
        return np.divide(sums, weights, out=mean, where=weights > 0)


def _clear(cut: Cut, tokens: int) -> NDArray[np.bool_]:
    """(n, y, x) whether a token has a clear pixel on its own date."""
    clear = np.all(np.isfinite(cut.chips.pixels), axis=1)
    n, height, _ = clear.shape
    side = height // tokens
    blocks = clear.reshape(n, tokens, side, tokens, side)
    found: NDArray[np.bool_] = np.any(blocks, axis=(2, 4))
    return found


def _patches(
    tokens: NDArray[np.float32], first: list[int], per_patch: int
) -> NDArray[np.float32]:
    """(row, col, d) sums over the patches that tokens (y, x, d) from `first` on lie in."""
    if per_patch == 1:
        return tokens
    height, width, d = tokens.shape
    y, x = (at % per_patch for at in first)
    rows, cols = -(-(y + height) // per_patch), -(-(x + width) // per_patch)
    whole = np.zeros((rows * per_patch, cols * per_patch, d), np.float32)
    whole[y : y + height, x : x + width] = tokens
    sums: NDArray[np.float32] = whole.reshape(rows, per_patch, cols, per_patch, d).sum(
        axis=(1, 3)
    )
    return sums


def _add(
    grid: NDArray[np.float32],
    patches: NDArray[np.float32],
    first: list[int],
    per_patch: int,
) -> None:
    """Add (row, col, d) of patches to those of the grid; `first` is in tokens."""
    row, col = (at // per_patch for at in first)
    top, left = max(row, 0), max(col, 0)
    bottom = max(min(row + patches.shape[0], grid.shape[0]), top)
    right = max(min(col + patches.shape[1], grid.shape[1]), left)
    part = patches[top - row : bottom - row, left - col : right - col]
    grid[top:bottom, left:right] += part
