"""Where regions come from: masks of SAM 2.1 over superpixels, or superpixels alone."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.segments.window import Segment
from terradrift.detect.segments import masks, superpixels, tiling
from terradrift.detect.segments.settings import Settings
from terradrift.embed import device as devices
from terradrift.embed import sam_masks
from terradrift.embed.sam_masks import SamMasks

Kind = Literal["auto", "sam", "superpixels"]

_SUPERPIXELS = "segments: superpixels (SLIC)"


def segmenter(
    kind: Kind,
    settings: Settings,
    *,
    gsd: float,
    bands: tuple[str, ...],
    device: str = "auto",
) -> tuple[Segment, str]:
    """How images of `bands` become regions, and in words which way that is.

    `auto` takes SAM where a checkpoint lies in the folder of weights and red, green and blue
    are there; the words say why where it does not.

    Raises:
        WeightsError: `sam` without a checkpoint, or with a bad one.
        ImportError: `sam` without the library.
        ValueError: `sam` without red, green and blue.
    """
    path = sam_masks.checkpoint()
    absent = [name for name in sam_masks.RGB if name not in bands]
    if kind == "sam" and absent:
        raise ValueError(
            f"segments by SAM need bands {', '.join(sam_masks.RGB)}; the images lack "
            f"{', '.join(absent)}; choose superpixels"
        )
    if kind == "sam" or (kind == "auto" and path is not None and not absent):
        found = sam_masks.opened(path, devices.resolve(device))
        name = path.name if path is not None else ""
        return by_sam(found, settings, gsd=gsd, bands=bands), (
            f"segments: masks of SAM 2.1 ({name}) on both images, superpixels (SLIC) "
            "elsewhere"
        )
    why = ""
    if kind == "auto":
        why = (
            f", as bands {', '.join(absent)} for SAM are not there"
            if absent
            else ", as no checkpoint of SAM 2.1 is here"
        )
    return by_superpixels(settings, gsd=gsd), _SUPERPIXELS + why


def by_superpixels(settings: Settings, *, gsd: float) -> Segment:
    """Superpixels of both images, refined by each other."""

    def segment(
        before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> NDArray[np.int32]:
        return superpixels.regions(before, after, gsd=gsd, settings=settings)

    return segment


def by_sam(
    model: SamMasks, settings: Settings, *, gsd: float, bands: tuple[str, ...]
) -> Segment:
    """Masks of both images, refined by each other; pixels in none are in superpixels."""
    rgb = [bands.index(name) for name in sam_masks.RGB]

    def of_image(
        image: NDArray[np.float32],
        ranges: tuple[NDArray[np.float32], NDArray[np.float32]],
    ) -> NDArray[np.int32]:
        base = superpixels.superpixels(image, ranges, gsd=gsd, settings=settings)

        def of_tile(rows: slice, cols: slice) -> NDArray[np.int32]:
            inside = base[rows, cols]
            if not inside.any():
                return inside
            return masks.partition(model.masks(image[rgb, rows, cols]), inside)

        return tiling.stitched(
            base.shape,
            of_tile,
            tile_px=sam_masks.TILE_PX,
            overlap_px=sam_masks.OVERLAP_PX,
        )

    def segment(
        before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> NDArray[np.int32]:
        ranges = superpixels.band_ranges(before, after)
        first, second = (of_image(image, ranges) for image in (before, after))
        return superpixels.joined(
            first, second, before, after, gsd=gsd, settings=settings
        )

    return segment
