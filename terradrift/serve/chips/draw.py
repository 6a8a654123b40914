"""Chips as PNG: before and after with one stretch, and their difference; outlined (pure)."""

import io
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image
from shapely.geometry.base import BaseGeometry

from terradrift.archive.thumbnails_view import View
from terradrift.chip import INDICES
from terradrift.report import difference as changed
from terradrift.report.data import colour
from terradrift.report.pictures import outlined, pictures

Which = Literal["before", "after", "difference"]

_PATCH = (6, 3)
_EVENT = (5, 3)
"""Widths of casing and line, in a picture of 256 px."""
_AMBER = (255, 200, 40)
"""Of the event's outline; the patch's is white, and lies on it."""
_INDEX = (-0.2, 1.0)
"""Darkest and brightest of a picture of an index, which means the same on every date."""


def chip(
    which: Which,
    sides: tuple[NDArray[np.float32] | None, NDArray[np.float32] | None],
    bands: tuple[str, ...],
    view: View,
    *,
    event: BaseGeometry | None,
    size: int,
) -> bytes | None:
    """One chip as PNG, `size` pixels a side; None where nothing of it is known.

    Args:
        which: what is drawn; `before` and `after` share one stretch.
        sides: (band, y, x) reflectance before and after, NaN where not seen.
        bands: of `sides`.
        view: the ground that they show.
        event: outline of the change's event, in metres of the view's CRS.
        size: pixels.
    """
    before, after = sides
    box, patch = view.place.bounds, shapely.box(*view.patch)
    if which == "difference":
        if before is None or after is None:
            return None
        values = changed.difference(before, after, bands)
        if not np.isfinite(values).any():
            return None
        picture: Image.Image | None = changed.picture(
            values, changed.scale(bands), size
        )
    else:
        picked = [bands.index(name) for name in colour(bands)]
        chips = [
            None if one is None else np.moveaxis(one[picked], 0, -1) for one in sides
        ]
        ends = _INDEX if colour(bands)[0] in INDICES else None
        picture = pictures(chips, None, box, size, ends)[which == "after"]
    if picture is None:
        return None
    if event is not None and not event.is_empty:
        picture = outlined(picture, event, box, _wide(_EVENT, size), _AMBER)
    return png(outlined(picture, patch, box, _wide(_PATCH, size)))


def _wide(widths: tuple[int, int], size: int) -> tuple[int, int]:
    """Widths for a picture of that size: less than in proportion, so that ground is seen."""
    times = max(size / 256, 0.25) ** 0.5
    casing, line = (max(1, round(one * times)) for one in widths)
    return max(casing, line + 2), line


def png(picture: Image.Image) -> bytes:
    """The picture as PNG."""
    target = io.BytesIO()
    picture.save(target, format="PNG")
    return target.getvalue()
