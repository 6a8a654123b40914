"""Rasters of an event onto the pixels of its monitored image."""

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.ingest import warp
from terradrift.ingest.events.images import Header, classes, pixels
from terradrift.ingest.frame import Frame, ratio, transformer


def pixels_on(head: Header, target: Header) -> NDArray[np.float32]:
    """(band, y, x) of `head` on the pixels of `target`, NaN where there are none.

    By their places on the ground where both are known, else pixel by pixel.

    Raises:
        SourceError: sizes differ and a place is not known; or as `images.pixels`.
    """
    values = pixels(head)
    if _same(head, target):
        return values
    source, wanted = _frames(head, target)
    clear: NDArray[np.bool_] = ~np.isnan(values[0])  # all bands, or none
    span = warp.needed(source, wanted)
    out = np.full((len(values), target.height, target.width), np.nan, np.float32)
    if span.empty:
        return out
    rows = slice(span.top, span.top + span.height)
    cols = slice(span.left, span.left + span.width)
    part = np.where(clear, values, np.float32(0))[:, rows, cols]
    found = warp.warp(part, clear[rows, cols], source, span, target=wanted, out=out)
    out[:, ~found] = np.nan
    return out


def classes_on(head: Header, target: Header, *, unknown: int) -> NDArray[np.int32]:
    """(y, x) numbers of the label `head` on the pixels of `target`; raises likewise."""
    values, there = classes(head)
    coded = np.where(there, values, np.int32(unknown)).astype(np.int32)
    if _same(head, target):
        return coded
    source, wanted = _frames(head, target)
    span = warp.needed(source, wanted)
    if span.empty:
        return np.full((target.height, target.width), unknown, np.int32)
    part = coded[span.top : span.top + span.height, span.left : span.left + span.width]
    found, inside = warp.nearest(part, source, span, wanted)
    return np.where(inside, found, np.int32(unknown)).astype(np.int32)


def check(head: Header, target: Header) -> None:
    """Raise `SourceError` where `head` cannot be laid onto `target`; reads nothing."""
    if not _same(head, target):
        _frames(head, target)


def metres(frame: Frame) -> float:
    """Side of a square as large as the frame's middle pixel, in metres."""
    a, b, c, d, e, f = frame.transform
    col = frame.width / 2 + np.array([0.0, 1.0, 0.0])
    row = frame.height / 2 + np.array([0.0, 0.0, 1.0])
    x, y = a * col + b * row + c, d * col + e * row + f
    # Equal areas hold everywhere in this projection (EASE-Grid 2.0, in metres).
    x, y = transformer(frame.crs, "EPSG:6933").transform(x, y)
    area = abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))
    return float(np.sqrt(area))


def _same(head: Header, target: Header) -> bool:
    """Whether pixels are taken one by one."""
    if (head.height, head.width) != (target.height, target.width):
        return False
    if head.frame is None or target.frame is None:
        return True
    return ratio(head.frame, target.frame) == 1 and _corners_agree(
        head.frame, target.frame
    )


def _corners_agree(one: Frame, other: Frame) -> bool:
    step = abs(other.transform[0]), abs(other.transform[4])
    off = (
        one.transform[2] - other.transform[2],
        one.transform[5] - other.transform[5],
    )
    return all(abs(v) < 0.5 * s for v, s in zip(off, step, strict=True))


def _frames(head: Header, target: Header) -> tuple[Frame, Frame]:
    if head.frame is None or target.frame is None:
        lost = head if head.frame is None else target
        raise SourceError(
            f"{head.path}: expected {target.size} as {target.path.name}, got {head.size}, "
            f"and {lost.path.name} does not say where it lies; georeference it, or make "
            "the sizes equal"
        )
    _, b, _, d, *_ = target.frame.transform
    if b or d:
        raise SourceError(
            f"{target.path}: expected an image with north up, got a rotated one, onto "
            f"which {head.path.name} cannot be laid; warp it first (gdalwarp)"
        )
    return head.frame, target.frame
