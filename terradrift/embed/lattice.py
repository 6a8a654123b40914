"""Where the chips of a token model lie on a tile, and what each of their tokens counts.

One axis at a time, in tokens from the tile's corner. A tile side is shared out evenly among
as many chips as it takes, and a chip is centred on each share. So a place has the same chips
on every date and in every read, and every tile of a grid has the same pattern. Chips may
reach past the tile, into the surroundings that the image was read with.
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
    count = -(-tile // (chip - overlap))
    shares = np.arange(count)
    # The middle of a share less half a chip, rounded.
    return (tile * (2 * shares + 1) - count * (chip - 1)) // (2 * count)


def reach(first: NDArray[np.intp], tile: int, chip: int) -> int:
    """Tokens that the chips reach past the tile, on the side where it is more."""
    return max(0, -int(first[0]), int(first[-1]) + chip - tile)


def weights(first: NDArray[np.intp], tile: int, chip: int) -> NDArray[np.float32]:
    """(k, chip) share that each chip has in the token under it; 0 outside the tile.

    A ramp over the overlap, full in the middle of a chip: a token far from the border of its
    chip knows more of its surroundings. The shares in a token of the tile add up to 1.
    """
    shared = chip - int(np.diff(first).max()) if len(first) > 1 else 1
    place = np.arange(chip)
    from_border = np.minimum(place, chip - 1 - place) + 0.5
    ramp = np.minimum(1.0, from_border / max(1, shared))
    at = first[:, None] + place
    inside = (at >= 0) & (at < tile)
    raw = np.where(inside, ramp, 0.0)
    total = np.bincount(at[inside], raw[inside], minlength=tile)
    found: NDArray[np.float32] = (raw / total[np.clip(at, 0, tile - 1)]).astype(
        np.float32
    )
    return found
