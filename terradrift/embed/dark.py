"""Pixels too small to be reflectance, as a wrong scale makes them; dark scenes are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from terradrift.embed.contract import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from terradrift.chip import TileImage

DARKEST = 1e-3
"""Reflectance that some pixel in a hundred passes in some band, of whatever is seen by day:
water in the shade has more, and a digital number of 10 is as much."""
_IMAGES = 4
"""Images that must all be darker before the scale is to blame."""


def refused(images: Iterator[TileImage]) -> Iterator[TileImage]:
    """The images, unless the first ones are all too dark; those wait for one that is not.

    At most four are kept waiting. After one that is bright enough nothing more is judged.

    Raises:
        ValueError: the first four images, or all of fewer, that show anything are darker in
            every band than any landscape.
    """
    waiting: list[TileImage] = []
    images = iter(images)
    for image in images:
        brightest = _brightest(image)
        if brightest is None and not waiting:
            yield image
            continue
        waiting.append(image)
        if brightest is not None and brightest >= DARKEST:
            break
        if len(waiting) == _IMAGES:
            raise ValueError(_message(waiting))
    else:
        if waiting:
            raise ValueError(_message(waiting))
    yield from waiting
    yield from images


def _brightest(image: TileImage) -> float | None:
    """The 99th percentile of the brightest band; None where nothing is clear.

    Of magnitudes: what lies far below 0 has another cause than a scale.
    """
    seen = np.abs(sampled(image))
    bands = [band[np.isfinite(band)] for band in seen]
    found = [float(np.percentile(band, 99)) for band in bands if band.size]
    return max(found, default=None)


def _message(images: list[TileImage]) -> str:
    first = images[0]
    brightest = max(_brightest(image) or 0.0 for image in images)
    return (
        f"expected reflectance of 0 to 1 or so, got pixels of {brightest:.2g} and less in "
        f"every band of tile {first.tile} and all of {len(images)} images: a wrong scale; "
        "give the scale and offset of the scenes when they are ingested"
    )
