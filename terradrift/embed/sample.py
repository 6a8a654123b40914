"""Patches of a stream of images, to fit a model on."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import Chips, TileImage
from terradrift.embed import chips
from terradrift.embed.protocol import ModelCard
from terradrift.errors import SourceError

_CLEAR = 99.0
"""Percent of clear pixels from which a patch is as good as any."""


def sample(
    images: Iterable[TileImage],
    *,
    context_px: int,
    patches: int = 4096,
    max_bytes: int = 128 << 20,
    seed: int = 0,
) -> Chips:
    """A uniform sample of the clear patches, the same for the same stream.

    Patches that are clear in part are taken only where whole ones do not suffice. Every
    image is read; twice `patches` chips, or twice `max_bytes` of them, are in memory.

    Raises:
        SourceError: no image has a clear pixel.
    """
    rng = np.random.default_rng(seed)
    parts: list[Chips] = []
    keys = np.empty(0)
    bound = np.inf
    for image in images:
        side = image.patch_px + 2 * context_px
        fit = max(1, min(patches, max_bytes // (4 * len(image.bands) * side**2)))
        seen = np.flatnonzero(image.clear_percent > 0)
        # Patches with the smallest random keys are a uniform sample of a stream.
        drawn = rng.random(len(seen)) + (image.clear_percent[seen] < _CLEAR)
        new = drawn < bound
        if not new.any():
            continue
        card = _card(image, context_px, len(seen))
        parts += [cut.chips for cut in chips.cut(image, card, seen[new])]
        keys = np.append(keys, drawn[new])
        if len(keys) >= 2 * fit:
            parts, keys = _smallest(parts, keys, fit)
            bound = keys.max()
    if not parts:
        raise SourceError(
            "a model is fitted to clear pixels, but no image has any; "
            "ingest clearer scenes, or check the mask"
        )
    ((kept,), _) = _smallest(parts, keys, fit)
    return kept


def _card(image: TileImage, context_px: int, batch: int) -> ModelCard:
    """A card that asks for every band of the image and a margin."""
    return ModelCard(
        name="sample",
        revision="",
        licence="",
        bands=image.bands,
        dimensions=1,
        preprocessing="",
        source="",
        weights_sha256="",
        context_px=context_px,
        batch=batch,
    )


def _smallest(
    parts: list[Chips], keys: NDArray[np.float64], count: int
) -> tuple[list[Chips], NDArray[np.float64]]:
    """The chips with the `count` smallest keys in the order they came, as one part."""
    best = np.sort(np.argsort(keys, kind="stable")[:count])
    starts = np.cumsum([0, *map(len, parts)])
    which = [
        best[(best >= start) & (best < start + len(part))] - start
        for start, part in zip(starts, parts, strict=False)
    ]
    taken = list(zip(parts, which, strict=True))
    joined = replace(
        parts[0],
        pixels=np.concatenate([part.pixels[rows] for part, rows in taken]),
        times=np.concatenate([part.times[rows] for part, rows in taken]),
        centers=np.concatenate([part.centers[rows] for part, rows in taken]),
    )
    return [joined], keys[best]
