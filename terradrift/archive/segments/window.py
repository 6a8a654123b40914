"""A window of ground through time by regions: each frame judged by those before it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from terradrift.chip import Chips
from terradrift.detect.segments import features, patches
from terradrift.detect.segments.judge import (
    FEW_REFERENCES,
    NOT_CLEAR,
    History,
    Judgement,
)
from terradrift.detect.segments.novelty import ranked
from terradrift.detect.segments.settings import Settings
from terradrift.embed import dense
from terradrift.embed.dense import DenseFeatures
from terradrift.grid import Grid
from terradrift.stack import Stack

Segment = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.int32]]
"""From the images (band, y, x) before and after to regions (y, x) 1..n."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """What the regions of a frame say of the window's patches (n,)."""

    score: NDArray[np.float32]
    """Mean novelty over the clear pixels."""
    spatial: NDArray[np.float32]
    """The same less the median of the window on that day."""
    z: NDArray[np.float32]
    """Mean over the clear pixels."""
    p_value: NDArray[np.float32]
    """Where z stands among those of all dates and patches of the window."""
    n_reference: NDArray[np.int32]
    """Of the region that has most of the patch, like what follows."""
    first: NDArray[np.int64]
    """Frame of the oldest reference, -1 where there is none."""
    last: NDArray[np.int64]
    """Frame of the latest."""
    reason: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One judged frame."""

    at: int
    regions: Judgement
    clear: NDArray[np.bool_]
    """(y, x)."""
    patches: Patches


def judged(
    stack: Stack,
    model: DenseFeatures,
    segment: Segment,
    settings: Settings,
    since: np.datetime64 | None = None,
) -> Iterator[Frame]:
    """Judge the frames of a stack from the day `since` on, oldest first.

    Regions come from the frame and, as what was there before, the latest clear value of each
    pixel. Of past frames the cells of their maps are kept.
    """
    history = History(model.stride)
    before = np.full(stack.pixels.shape[1:], np.nan, np.float32)
    place = _center(stack)
    of_patch = _patch_map(stack)
    for at, pixels in enumerate(stack.pixels):
        clear = np.all(np.isfinite(pixels), axis=0)
        history.add(model.map(_image(stack, at, model, place)), clear)
        if since is None or stack.days[at] >= since:
            labels = segment(before, pixels)
            rough = features.texture(labels, before)
            found = history.judge(labels, settings=settings, texture=rough)
            shared = patches.shared(labels, of_patch, clear, len(stack.patch_ids))
            told = _patches(found, shared, rough, stack, settings)
            yield Frame(at, found, clear, told)
        before[:, clear] = pixels[:, clear]


def _image(
    stack: Stack, at: int, model: DenseFeatures, place: tuple[float, float]
) -> Chips:
    times = stack.times[at]
    return dense.image(
        stack.pixels[at],
        bands=stack.bands,
        card=model.card,
        gsd=stack.gsd,
        wavelengths=stack.wavelengths,
        time=times[~np.isnat(times)].max(),
        center=place,
        level=stack.level,
    )


def _center(stack: Stack) -> tuple[float, float]:
    """Longitude and latitude of the window's middle, to the metre."""
    _, _, y, x = stack.pixels.shape
    west, north = stack.corner
    row, col = (
        np.array([round(metres)])
        for metres in (north - y * stack.gsd / 2, west + x * stack.gsd / 2)
    )
    longitude, latitude = Grid(patch_size=1).centers(stack.epsg, row, col)[0]
    return float(longitude), float(latitude)


def _patch_map(stack: Stack) -> NDArray[np.int64]:
    """(y, x) number of the patch of each pixel, -1 in the halo and where there is none."""
    _, _, y, x = stack.pixels.shape
    out = np.full((y, x), -1, np.int64)
    for number, (row, col) in enumerate(zip(stack.rows, stack.cols, strict=True)):
        top = stack.halo_px + row * stack.patch_px
        left = stack.halo_px + col * stack.patch_px
        out[top : top + stack.patch_px, left : left + stack.patch_px] = number
    return out


def _patches(
    found: Judgement,
    shared: sparse.csr_array,
    rough: NDArray[np.float32],
    stack: Stack,
    settings: Settings,
) -> Patches:
    (score,), (weight,) = patches.means(shared, found.novelty[None])
    enough = weight >= settings.min_clear * stack.patch_px**2
    score = np.where(enough, score, np.float32(np.nan))
    z_dates, _ = patches.means(shared, found.z_dates)
    z_dates[:, ~enough] = np.nan
    (texture,), _ = patches.means(shared, rough[None])
    p_value = ranked(z_dates, texture)
    main = patches.largest(shared)
    some, region = main >= 0, np.maximum(main, 0)
    past = found.known[:-1, region] & some
    order = np.arange(len(past))[:, None]
    first = np.where(past, order, len(past)).min(axis=0, initial=len(past))
    of_region = np.where(some, found.reason[region], NOT_CLEAR)
    median = np.median(score[enough]) if enough.any() else np.float32(np.nan)
    return Patches(
        score=score,
        spatial=score - median,
        z=z_dates[-1],
        p_value=p_value,
        n_reference=past.sum(axis=0).astype(np.int32),
        first=np.where(first < len(past), first, -1),
        last=np.where(past, order, -1).max(axis=0, initial=-1),
        # A patch may lack a score where its largest region has one: too little is clear.
        reason=np.select(
            [
                ~enough & np.isin(of_region, ["", FEW_REFERENCES]),
                ~enough,
                ~np.isfinite(p_value),
            ],
            [NOT_CLEAR, of_region, FEW_REFERENCES],
            "",
        ),
    )
