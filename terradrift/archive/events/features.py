"""Dense features of the images of one event: a vector per cell and date."""

import math
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from terradrift import plugins, threads
from terradrift.chip import Chips
from terradrift.embed import dense as densely
from terradrift.embed import device as devices
from terradrift.embed import library
from terradrift.embed.how import How
from terradrift.embed.protocol import Embedder, Placeable
from terradrift.embed.spec import Spec
from terradrift.errors import TerradriftError
from terradrift.ingest.events.event import Event

AUTO = "auto"
_BEST, _FALLBACK = "sam-vitb", "mosaiks"
_LEAST_CELL_PX = 2
_CELLS_ACROSS = 3.5
"""Cells of a pooled model along a region, about: means over fewer are of other ground."""
_MOST_BYTES = 1 << 30
"""Of the features of an event with a pooled model; larger images have larger cells."""
_FIT_SQUARES = 8192
"""Squares of ground, about, that a model is fitted to."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What a model makes of an event's images."""

    model: str
    maps: NDArray[np.float32]
    """(t, d, h, w), oldest first, NaN where not known."""
    stride: float
    """Pixels per cell side."""

    def recent(self, dates: int) -> "Features":
        """Of the `dates` latest images only; a view."""
        return Features(self.model, self.maps[-dates:], self.stride)


def chosen(model: str) -> str:
    """The model meant by `model`: by itself SAM where its weights are held, else mosaiks.

    Raises:
        UnknownPluginError: no such model.
    """
    if model != AUTO:
        plugins.find(plugins.EMBEDDERS, model)
        return model
    spec = plugins.load(plugins.EMBEDDERS, _BEST)
    return _BEST if library.present(spec) else _FALLBACK


def features(
    event: Event, model: str, *, region_px: float, device: str = AUTO
) -> Features:
    """The dense maps of all images of an event, for regions of about `region_px` pixels.

    A model that is fitted is fitted to the event's history, never to the monitored image.

    Raises:
        TerradriftError: the model's bands are not there, or it gives no map.
        WeightsError: its weights are not on this machine.
    """
    stack = event.stack
    try:
        embedder = _embedder(event, model, region_px)
        if isinstance(embedder, Placeable):
            embedder = embedder.to(devices.resolve(device))
        card = embedder.card
        cell = (
            None if card.token_stride else _cell_px(event, card.dimensions, region_px)
        )
        giver = densely.dense(embedder, patch_px=cell or 1, cell_px=cell)
        # Matrices of cells are small: threads of BLAS would wait for each other.
        with threads.single_blas() if cell else nullcontext():
            maps = np.stack(
                [
                    giver.map(
                        densely.image(
                            frame,
                            bands=stack.bands,
                            card=card,
                            gsd=stack.gsd,
                            wavelengths=stack.wavelengths,
                            time=day.astype("datetime64[us]"),
                            center=event.center,
                            level=stack.level,
                        )
                    )
                    for frame, day in zip(stack.pixels, stack.days, strict=True)
                ]
            )
    except TerradriftError:
        raise
    except ValueError as error:
        raise TerradriftError(f"{event.name}: {error}") from error
    return Features(model, maps, float(giver.stride))


def _embedder(event: Event, model: str, region_px: float) -> Embedder:
    plugin = plugins.load(plugins.EMBEDDERS, model)
    if isinstance(plugin, Spec):
        how = How(tokens=True, allow_mismatch=True)
        token = next(iter(plugin.tokens), 1)
        return plugin.embedder(event.stack.bands, patch_px=token, how=how)
    if not getattr(plugin, "needs_fit", False):
        simple: Embedder = plugin.for_bands(event.stack.bands)
        return simple
    context = int(getattr(plugin, "sample_context_px", 0))
    # Twice the number of its kernels, which is fixed: the size of a cell depends on it.
    cell = _cell_px(event, 256, region_px)
    fitted: Embedder = plugin.fit(_sample(event, cell + 2 * context))
    return fitted


def _cell_px(event: Event, dimensions: int, region_px: float) -> int:
    t, _, y, x = event.stack.pixels.shape
    least = math.ceil(math.sqrt(4 * t * dimensions * y * x / _MOST_BYTES))
    across = round(math.sqrt(region_px) / _CELLS_ACROSS)
    return max(_LEAST_CELL_PX, across, least)


def _sample(event: Event, side: int) -> Chips:
    """Clear squares of `side` pixels of the history, evenly spread over ground and dates."""
    stack = event.stack
    past = stack.pixels[:-1]
    t, band, height, width = past.shape
    if min(height, width) < side:
        raise ValueError(
            f"expected images of at least {side} pixels per side, got {width} x {height}"
        )
    step = max(side // 2, int(math.sqrt(t * height * width / _FIT_SQUARES)))
    windows = sliding_window_view(past, (side, side), (2, 3))  # type: ignore[call-overload]  # its stubs know one axis only
    cut = windows[:, :, ::step, ::step].transpose(0, 2, 3, 1, 4, 5)
    cut = cut.reshape(-1, band, side, side)
    clear = cut[np.isfinite(cut).all(axis=(1, 2, 3))]
    n = len(clear)
    return Chips(
        pixels=clear,
        bands=stack.bands,
        wavelengths=stack.wavelengths,
        times=np.full(n, stack.times[0, 0]),
        centers=np.broadcast_to(event.center, (n, 2)).astype(np.float64),
        gsd=stack.gsd,
        level=stack.level,
    )
