"""Where the chips of a token model lie on a tile, and what each of their tokens counts.

One axis at a time, in tokens from the tile's corner. A tile side is a whole number of equal
steps, so that a place has the same chips on every date and in every read, and the pattern
goes on over the next tile. Chips that overlap are centred on the ends of the steps, the
first and last on the tile's borders: a tile and its neighbour blend the same chips there.
Chips that need not overlap are centred on the steps themselves, and each tile has its own.
"""

import numpy as np
from numpy.typing import NDArray


def starts(tile: int, chip: int, overlap: int) -> NDArray[np.intp]:
    """(k,) first token of each chip, ascending, where neighbours share `overlap` at least.

    Negative for a chip that begins before the tile.

    Raises:
        ValueError: the overlap is not below the chip, or a size is below 1.
    """
    if tile < 1 or not 0 <= overlap < chip:
        raise ValueError(
            "expected a tile and chips of at least one token and an overlap of 0 up to "
            f"the chip, got {tile}, {chip} and {overlap}"
        )
    steps = -(-tile // (chip - overlap))
    # Middles of chips in halves of a step.
    middles = 2 * np.arange(steps + 1) if overlap else 2 * np.arange(steps) + 1
    # The middle less half a chip, rounded.
    return (tile * middles - steps * (chip - 1)) // (2 * steps)


def weights(first: NDArray[np.intp], tile: int, chip: int) -> NDArray[np.float32]:
    """(k, chip) share that each chip has in the token under it; 0 outside the tile.

    It falls from the middle of a chip towards the next one's, over what they share but over
    one step at most: then each token has two chips, and what position in the chip adds to a
    vector cancels out as far as it is linear. The shares in a token of the tile add up to 1.
    """
    steps = np.diff(first) if len(first) > 1 else np.array([tile])
    step = float(steps.mean())
    ramp = max(1.0, min(chip - int(steps.max()), step))
    place = np.arange(chip)
    from_middle = np.abs(place + 0.5 - chip / 2)
    falling = np.clip(((step + ramp) / 2 - from_middle) / ramp, 0, 1)
    at = first[:, None] + place
    inside = (at >= 0) & (at < tile)
    raw = np.where(inside, falling, 0.0)
    total = np.bincount(at[inside], raw[inside], minlength=tile)
    found: NDArray[np.float32] = (raw / total[np.clip(at, 0, tile - 1)]).astype(
        np.float32
    )
    return found
