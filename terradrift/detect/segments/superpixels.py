"""Regions without a model: superpixels of two dates, refined by each other (pure).

After Achanta et al. 2012, "SLIC Superpixels Compared to State-of-the-Art Superpixel
Methods", IEEE TPAMI 34(11), as scikit-image has it, on all bands. Where a model's masks are
there, `masks` makes regions of them.
"""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.segments import tiling
from terradrift.detect.segments.labels import connected, merged, refined
from terradrift.detect.segments.settings import Settings

_LOW, _HIGH = 0.02, 0.98
"""Quantiles that bound the range of a band."""
_SUPERPIXEL_PX, _LEAST_PX = 25, 6
"""Pixels of a superpixel and of the least region, however coarse they are."""
_SAMPLE = 1 << 20
"""Pixels that ranges are taken from, about."""


def regions(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    *,
    gsd: float,
    settings: Settings,
) -> NDArray[np.int32]:
    """(y, x) regions that are whole on both dates: the common refinement of superpixels.

    `before` and `after` are (band, y, x) in any unit, NaN where not clear, of any size. No
    region mixes ground that is clear on the one date, the other, both or neither.

    Raises:
        ValueError: images of different sizes, or without a pixel.
    """
    if before.shape != after.shape:
        raise ValueError(
            f"expected two images of one size and bands, got {before.shape} and "
            f"{after.shape}"
        )
    ranges = band_ranges(before, after)
    first, second = (
        superpixels(image, ranges, gsd=gsd, settings=settings)
        for image in (before, after)
    )
    return joined(first, second, before, after, gsd=gsd, settings=settings)


def joined(
    first: NDArray[np.integer],
    second: NDArray[np.integer],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    *,
    gsd: float,
    settings: Settings,
) -> NDArray[np.int32]:
    """(y, x) common refinement of the label maps of two images, 0 where not clear.

    Slivers join the neighbour that is most alike in both images (band, y, x).
    """
    clear = (first > 0) * 2 + (second > 0)
    low, high = band_ranges(before, after)
    both = np.concatenate(
        [
            (image - low[:, None, None]) / (high - low)[:, None, None]
            for image in (before, after)
        ]
    )
    least = _pixels(settings.least_m2, gsd, _LEAST_PX)
    return merged(refined(first, second), least, kind=clear, image=both)


def superpixels(
    image: NDArray[np.float32],
    ranges: tuple[NDArray[np.float32], NDArray[np.float32]],
    *,
    gsd: float,
    settings: Settings,
) -> NDArray[np.int32]:
    """(y, x) connected superpixels of (band, y, x), 0 where a band is NaN.

    `ranges` are the low and high end (band,) of what counts as 0 and 1. Large images are
    segmented by overlapping tiles, whose regions are joined where they agree.
    """
    clear = np.all(np.isfinite(image), axis=0)
    if not clear.any():
        return np.zeros(clear.shape, np.int32)

    def of_tile(rows: slice, cols: slice) -> NDArray[np.int32]:
        return _slic(image[:, rows, cols], clear[rows, cols], ranges, gsd, settings)

    return tiling.stitched(clear.shape, of_tile)


def band_ranges(
    *images: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Low and high end (band,) of each band over all images (band, y, x); NaN is left out.

    Raises:
        ValueError: images without a pixel.
    """
    if any(image.size == 0 for image in images):
        raise ValueError("expected images of at least one band and pixel, got none")
    pixels = sum(image[0].size for image in images)
    step = max(1, int(np.sqrt(pixels / _SAMPLE)))
    seen = np.concatenate(
        [image[:, ::step, ::step].reshape(len(image), -1) for image in images], axis=1
    )
    low, high = np.zeros(len(seen), np.float32), np.ones(len(seen), np.float32)
    for band, values in enumerate(seen):
        there = values[np.isfinite(values)]
        if len(there):
            low[band], high[band] = np.quantile(there, [_LOW, _HIGH])
    # A band of one value tells nothing apart.
    high = np.where(high > low, high, low + 1).astype(np.float32)
    return low, high


def _slic(
    image: NDArray[np.float32],
    clear: NDArray[np.bool_],
    ranges: tuple[NDArray[np.float32], NDArray[np.float32]],
    gsd: float,
    settings: Settings,
) -> NDArray[np.int32]:
    from skimage import segmentation

    low, high = (end[:, None, None] for end in ranges)
    # By the root of the number of bands, so that compactness means the same for any.
    scaled = (image - low) / ((high - low) * np.float32(np.sqrt(len(image))))
    scaled[:, ~clear] = 0.5 / np.sqrt(len(image))
    count = max(1, round(clear.size / _pixels(settings.area_m2, gsd, _SUPERPIXEL_PX)))
    found = segmentation.slic(
        np.moveaxis(scaled, 0, -1),
        n_segments=count,
        compactness=settings.compactness,
        channel_axis=-1,
        convert2lab=False,
        start_label=1,
    )
    # What a mask has cut in two is two regions.
    parts = connected(np.where(clear, found, 0))
    parts[~clear] = 0
    return parts


def _pixels(area_m2: float, gsd: float, least: int) -> int:
    return max(least, round(area_m2 / gsd**2))
