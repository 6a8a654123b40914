"""Cut the image of a tile into the chips that a model takes (pure).

A pooled model gets one chip per patch, with the surroundings that its card asks for. A
model with a token per patch gets chips of its own size, laid from the tile's own corner so
that a patch keeps its place in its chip on every date.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from terradrift.chip import BANDS, Chips, TileImage
from terradrift.embed.protocol import ModelCard
from terradrift.grid import TILE_PATCHES, parse_id

_BATCH_BYTES = 64 << 20
"""Bytes of pixels per batch: 24 chips of 224 x 224 pixels x 13 bands."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Some chips, and where in them the `n` patches lie that they cover."""

    chips: Chips
    patches: NDArray[np.intp]
    """(n,), index of the patch in the image."""
    chip: NDArray[np.intp]
    """(n,), index of the chip that holds it."""
    y: NDArray[np.intp]
    """(n,), row of its first token in the chip, from the top."""
    x: NDArray[np.intp]
    """(n,), column of its first token in the chip, from the left."""
    tokens: int
    """Tokens per patch side."""

    def vectors(self, embedded: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, d) vectors of the patches out of what the model gave for the chips.

        A patch of several tokens gets their mean.
        """
        if embedded.ndim == 2:
            return embedded[self.chip]
        steps = np.arange(self.tokens)
        found: NDArray[np.float32] = embedded[
            self.chip[:, None, None],
            self.y[:, None, None] + steps[:, None],
            self.x[:, None, None] + steps,
        ].mean(axis=(1, 2))
        return found


def missing_bands(card: ModelCard, bands: tuple[str, ...]) -> tuple[str, ...]:
    """Bands of the card that `bands` lacks and the card allows to be zero.

    Raises:
        ValueError: the card refuses to go without them.
    """
    absent = tuple(band for band in card.bands if band not in bands)
    if absent and (card.missing == "refuse" or len(absent) == len(card.bands)):
        raise ValueError(
            f"model {card.name} needs bands {', '.join(card.bands)}; the images lack "
            f"{', '.join(absent)} (they have {', '.join(bands)}); "
            "read these bands too, or choose another model"
        )
    return absent


def select(
    image: TileImage, card: ModelCard
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixels (band, y, x) and wavelengths (band,) of the card's bands in its order.

    A band that is missing is zero where the card allows that, with its usual wavelength.
    """
    absent = missing_bands(card, image.bands)
    if card.bands == image.bands:
        return image.pixels, image.wavelengths
    position = {band: index for index, band in enumerate(image.bands)}
    wanted = [position.get(band, 0) for band in card.bands]
    pixels, wavelengths = image.pixels[wanted], image.wavelengths[wanted]
    for index, band in enumerate(card.bands):
        if band in absent:
            pixels[index] = 0.0
            wavelengths[index] = BANDS.get(band, np.nan)
    return pixels, wavelengths


def cut(image: TileImage, card: ModelCard, wanted: NDArray[np.intp]) -> Iterator[Cut]:
    """Chips that cover the patches `wanted` (indices into the image), in batches.

    A batch is what the card says, or fewer where their pixels would fill much memory.

    Raises:
        ValueError: bands are missing, the halo is smaller than the model's context, or the
            patches do not fit the model's chips.
    """
    if len(wanted) == 0:
        return
    _fits(image, card)
    side = card.chip_size or image.patch_px + 2 * card.context_px
    card = replace(card, batch=_batch(card, 4 * len(card.bands) * side**2))
    pixels, wavelengths = select(image, card)
    pieces = _pooled if card.token_stride is None else _tokens
    yield from pieces(image, card, wanted, pixels, wavelengths)


def _batch(card: ModelCard, chip_bytes: int) -> int:
    return max(1, min(card.batch, _BATCH_BYTES // chip_bytes))


def _fits(image: TileImage, card: ModelCard) -> None:
    size = image.patch_px
    if image.halo_px < card.context_px:
        raise ValueError(
            f"model {card.name} looks {card.context_px} pixels past a patch's edge; "
            f"the image was read with a halo of {image.halo_px}"
        )
    if card.token_stride is None:
        if card.chip_size not in (None, size + 2 * card.context_px):
            raise ValueError(
                f"model {card.name} takes patches of {card.chip_size - 2 * card.context_px} "
                f"pixels, got {size}; "
                f"pass --patch-size {(card.chip_size - 2 * card.context_px) * image.gsd:g}"
            )
    elif size % card.token_stride or size > (card.chip_size or 0) - 2 * card.context_px:
        raise ValueError(
            f"model {card.name} gives a vector per {card.token_stride} pixels of chips of "
            f"{card.chip_size}; a patch must be a multiple of that and fit, got {size} "
            f"pixels; pass --patch-size {card.token_stride * image.gsd:g}"
        )


def _pooled(
    image: TileImage,
    card: ModelCard,
    wanted: NDArray[np.intp],
    pixels: NDArray[np.float32],
    wavelengths: NDArray[np.float32],
) -> Iterator[Cut]:
    size = image.patch_px + 2 * card.context_px
    margin = image.halo_px - card.context_px
    inner = pixels[
        :, margin : pixels.shape[1] - margin, margin : pixels.shape[2] - margin
    ]
    view: NDArray[np.float32] = sliding_window_view(inner, (size, size), (1, 2))  # type: ignore[call-overload]  # its stubs know one axis only
    windows = view[:, :: image.patch_px, :: image.patch_px].transpose(1, 2, 0, 3, 4)
    for start in range(0, len(wanted), card.batch):
        some = wanted[start : start + card.batch]
        chips = Chips(
            pixels=windows[image.rows[some], image.cols[some]],
            bands=card.bands,
            wavelengths=wavelengths,
            times=image.times[some],
            centers=image.centers[some],
            gsd=image.gsd,
            level=image.level,
        )
        zero = np.zeros(len(some), np.intp)
        yield Cut(chips, some, np.arange(len(some)), zero, zero, 1)


def _tokens(
    image: TileImage,
    card: ModelCard,
    wanted: NDArray[np.intp],
    pixels: NDArray[np.float32],
    wavelengths: NDArray[np.float32],
) -> Iterator[Cut]:
    chip_size, stride = card.chip_size or 0, card.token_stride or 1
    per_chip = (chip_size - 2 * card.context_px) // image.patch_px
    top, left = _corner(image)
    first_y, y = _lay(image.rows[wanted] - top, per_chip)
    first_x, x = _lay(image.cols[wanted] - left, per_chip)
    corners, chip = np.unique(
        np.column_stack([first_y + top, first_x + left]), axis=0, return_inverse=True
    )
    chip = chip.reshape(-1)
    tokens = image.patch_px // stride
    margin = card.context_px // stride
    for start in range(0, len(corners), card.batch):
        some = corners[start : start + card.batch]
        inside = (chip >= start) & (chip < start + len(some))
        which, patches = chip[inside] - start, wanted[inside]
        middle = _middle(y[inside], x[inside], which, per_chip)
        pixel = some * image.patch_px + image.halo_px - card.context_px
        chips = Chips(
            pixels=_windows(pixels, pixel, chip_size),
            bands=card.bands,
            wavelengths=wavelengths,
            times=image.times[patches[middle]],
            centers=image.centers[patches[middle]],
            gsd=image.gsd,
            level=image.level,
        )
        yield Cut(
            chips,
            patches,
            which,
            y[inside] * tokens + margin,
            x[inside] * tokens + margin,
            tokens,
        )


def _corner(image: TileImage) -> tuple[int, int]:
    """Row and column of the tile's north-west patch, counted as the image counts."""
    _, row, col = parse_id(str(image.patch_ids[0]))
    # Rows of the grid count northward, rows of an image southward.
    top = int(image.rows[0]) - (TILE_PATCHES - 1 - row % TILE_PATCHES)
    return top, int(image.cols[0]) - col % TILE_PATCHES


def _lay(
    position: NDArray[np.int32], per_chip: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First patch of the chip that holds each position of a tile, and its place there.

    Chips follow one another; the last one is moved back so that it ends with the tile.
    """
    last = max(0, TILE_PATCHES - per_chip)
    first = np.minimum(position // per_chip * per_chip, last).astype(np.intp)
    return first, position - first


def _middle(
    y: NDArray[np.intp], x: NDArray[np.intp], chip: NDArray[np.intp], per_chip: int
) -> NDArray[np.intp]:
    """(chips,) position of the patch nearest to each chip's middle: it dates the chip."""
    centre = (per_chip - 1) / 2
    order = np.lexsort((np.hypot(y - centre, x - centre), chip))
    _, first = np.unique(chip[order], return_index=True)
    nearest: NDArray[np.intp] = order[first]
    return nearest


def _windows(
    pixels: NDArray[np.float32], corners: NDArray[np.intp], size: int
) -> NDArray[np.float32]:
    """(n, band, size, size) at (n, 2) upper left corners; NaN beyond the image."""
    steps = np.arange(size)
    y, x = corners[:, :1] + steps, corners[:, 1:] + steps
    inside_y = (y >= 0) & (y < pixels.shape[1])
    inside_x = (x >= 0) & (x < pixels.shape[2])
    y, x = np.where(inside_y, y, 0), np.where(inside_x, x, 0)
    found = pixels[:, y[:, :, None], x[:, None, :]].swapaxes(0, 1)
    beyond = ~(inside_y[:, :, None] & inside_x[:, None, :])
    return np.where(beyond[:, None], np.float32(np.nan), found)
