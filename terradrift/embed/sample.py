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
    image is read; at most `patches` chips of together `max_bytes`, and as many of one image,
    are in memory.

    Raises:
        SourceError: no image has a clear pixel.
    """
    rng = np.random.default_rng(seed)
    kept: Chips | None = None
    keys = np.empty(0)
    for image in images:
        side = image.patch_px + 2 * context_px
        fit = max(1, min(patches, max_bytes // (4 * len(image.bands) * side**2)))
        seen = np.flatnonzero(image.clear_percent > 0)
        # Patches with the smallest random keys are a uniform sample of a stream.
        drawn = rng.random(len(seen)) + (image.clear_percent[seen] < _CLEAR)
        merged = np.concatenate([keys, drawn])
        best = np.sort(np.argsort(merged, kind="stable")[:fit])
        old, new = best[best < len(keys)], best[best >= len(keys)] - len(keys)
        if len(new) == 0:
            continue
        card = _card(image, context_px, len(new))
        cuts = [cut.chips for cut in chips.cut(image, card, seen[new])]
        kept = _joined(cuts if kept is None else [_taken(kept, old), *cuts])
        keys = merged[best]
    if kept is None:
        raise SourceError(
            "a model is fitted to clear pixels, but no image has any; "
            "ingest clearer scenes, or check the mask"
        )
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


def _taken(kept: Chips, old: NDArray[np.intp]) -> Chips:
    return replace(
        kept,
        pixels=kept.pixels[old],
        times=kept.times[old],
        centers=kept.centers[old],
    )


def _joined(parts: list[Chips]) -> Chips:
    return replace(
        parts[0],
        pixels=np.concatenate([part.pixels for part in parts]),
        times=np.concatenate([part.times for part in parts]),
        centers=np.concatenate([part.centers for part in parts]),
    )
