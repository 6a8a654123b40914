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

_EVENT = (3, 1)
"""Widths of the event's outline: thinner than the patch's."""
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
        shown = changed.picture(values, changed.scale(bands), size)
        picture: Image.Image | None = outlined(shown, patch, box)
    else:
        picked = [bands.index(name) for name in colour(bands)]
        chips = [
            None if one is None else np.moveaxis(one[picked], 0, -1) for one in sides
        ]
        ends = _INDEX if colour(bands)[0] in INDICES else None
        picture = pictures(chips, patch, box, size, ends)[which == "after"]
    if picture is None:
        return None
    if event is not None and not event.is_empty:
        picture = outlined(picture, event, box, _EVENT)
    return png(picture)


def png(picture: Image.Image) -> bytes:
    """The picture as PNG."""
    target = io.BytesIO()
    picture.save(target, format="PNG")
    return target.getvalue()
