"""Pixels of one scene on a frame of the grid: read, scaled, resampled, masked.

Where source pixels are those of the grid they are taken as they are; where they are whole
multiples (20 m bands on a 10 m grid) they are repeated; otherwise they are warped
(`warp.py`). Masks are always taken from the nearest mask pixel.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.ingest import mask, warp
from terradrift.ingest.acquisition import Acquisition, Asset
from terradrift.ingest.files import Files
from terradrift.ingest.frame import Frame, Span, offset, ratio

Slots = Sequence[tuple[int, Asset]]
"""Bands of one file, and which band of the image each becomes."""


def by_file(scene: Acquisition) -> dict[str, Slots]:
    """The scene's files and what is wanted of each."""
    found: dict[str, list[tuple[int, Asset]]] = {}
    for slot, asset in enumerate(scene.bands):
        found.setdefault(asset.href, []).append((slot, asset))
    return dict(found)


def check_bands(scene: Acquisition) -> None:
    """Raise `SourceError` if the scene lacks a wanted band."""
    if scene.missing:
        held = ", ".join(asset.band for asset in scene.bands) or "none of those wanted"
        raise SourceError(
            f"expected band(s) {', '.join(scene.missing)}, got {held}; "
            "pass --bands with those that all scenes have, or leave the scene out"
        )


def read_bands(
    files: Files,
    scene: Acquisition,
    href: str,
    *,
    slots: Slots,
    target: Frame,
    out: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Write the bands of one file into `out` (band, y, x) as reflectance.

    Returns (y, x): where all of them are there, neither nodata nor saturated. Elsewhere
    `out` holds nothing of meaning.

    Raises:
        SourceError: the file cannot be read.
    """
    source = files.frame(href, scene.crs)
    ok = np.zeros((target.height, target.width), bool)
    times = ratio(source, target)
    span = _nested(source, target, times) if times else warp.needed(source, target)
    if span.empty:
        return ok
    indexes = [asset.index for _, asset in slots]
    numbers = files.read(href, scene.crs, indexes, span)
    if times == 1:
        there = _placed(source, target, span)
        ok[there] = True
        for raw, (slot, asset) in zip(numbers, slots, strict=True):
            nodata = _nodata(files, scene, asset)
            _to_reflectance(raw, asset, nodata, out[slot][there], ok[there])
        return ok
    values = np.empty(numbers.shape, np.float32)
    valid = np.ones(numbers.shape[1:], bool)
    for band, (raw, (_, asset)) in enumerate(zip(numbers, slots, strict=True)):
        nodata = _nodata(files, scene, asset)
        _to_reflectance(raw, asset, nodata, values[band], valid)
    if times:
        there, cut = _repeated(source, target, span, times)
        ok[there] = _repeat(valid, times)[cut]
        for band, (slot, _) in enumerate(slots):
            out[slot][there] = _repeat(values[band], times)[cut]
        return ok
    valid &= read_clear(files, scene, source.part(span))
    values[:, ~valid] = 0.0
    warped = np.empty((len(slots), *ok.shape), np.float32)
    ok = warp.warp(values, valid, source, span, target=target, out=warped)
    for band, (slot, _) in enumerate(slots):
        out[slot] = warped[band]
    return ok


def read_clear(files: Files, scene: Acquisition, target: Frame) -> NDArray[np.bool_]:
    """(y, x): where the scene's mask says clear; all of it where the scene has no mask.

    Raises:
        SourceError: the mask cannot be read.
    """
    asset = scene.mask
    if asset is None:
        return np.ones((target.height, target.width), bool)
    source = files.frame(asset.href, scene.crs)
    ok = np.zeros((target.height, target.width), bool)
    times = ratio(source, target)
    span = _nested(source, target, times) if times else warp.needed(source, target)
    if span.empty:
        return ok
    (values,) = files.read(asset.href, scene.crs, [asset.index], span)
    clear = mask.clear(asset.band, values)
    if times:
        there, cut = _repeated(source, target, span, times)
        ok[there] = _repeat(clear, times)[cut]
        return ok
    found, inside = warp.nearest(clear, source, span, target)
    return found.astype(bool) & inside


def blank(pixels: NDArray[np.float32], clear: NDArray[np.bool_]) -> None:
    """Make (band, y, x) `pixels` NaN where (y, x) is not `clear`."""
    veil = np.where(clear, np.float32(0), np.float32(np.nan))
    with np.errstate(all="ignore"):  # what is not clear may hold anything
        pixels += veil  # six times as quick as a masked copy


def _nodata(files: Files, scene: Acquisition, asset: Asset) -> float | None:
    if asset.nodata is not None:
        return asset.nodata
    return files.nodata(asset.href, scene.crs, asset.index)


def _to_reflectance(
    raw: NDArray[np.generic],
    asset: Asset,
    nodata: float | None,
    out: NDArray[np.float32],
    valid: NDArray[np.bool_],
) -> None:
    """Scale digital numbers (y, x) into `out` and take what is none out of `valid`."""
    scale = np.float32(asset.scale)
    with np.errstate(over="ignore", invalid="ignore"):  # nodata such as -1.8e308
        np.multiply(raw, scale, out=out, dtype=np.float32, casting="unsafe")
    if asset.offset:
        out += np.float32(asset.offset)
    if raw.dtype.kind in "ui":
        valid &= raw != _largest(raw.dtype)
    else:
        valid &= np.isfinite(raw)
    if nodata is not None and np.isfinite(nodata):
        # Whole numbers are compared as such, several times as quick as by way of floats.
        valid &= raw != (int(nodata) if nodata.is_integer() else nodata)


def _largest(dtype: np.dtype[np.generic]) -> int:
    bits = dtype.itemsize * 8 - (dtype.kind == "i")
    return (1 << bits) - 1


def _nested(source: Frame, target: Frame, times: int) -> Span:
    """The source pixels that nested target pixels lie in."""
    row, col = offset(source, target)
    top, left = row // times, col // times
    bottom = -(-(row + target.height) // times)
    right = -(-(col + target.width) // times)
    return Span(left, top, right - left, bottom - top).within(source)


def _placed(source: Frame, target: Frame, span: Span) -> tuple[slice, slice]:
    row, col = offset(source, target)
    top, left = span.top - row, span.left - col
    return slice(top, top + span.height), slice(left, left + span.width)


def _repeated(
    source: Frame, target: Frame, span: Span, times: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where repeated pixels of `span` lie in the target, and which of them."""
    row, col = offset(source, target)
    pairs = [
        _overlap(first * times - start, count * times, size)
        for first, start, count, size in (
            (span.top, row, span.height, target.height),
            (span.left, col, span.width, target.width),
        )
    ]
    (down, from_row), (across, from_col) = pairs
    return (down, across), (from_row, from_col)


def _overlap(first: int, count: int, size: int) -> tuple[slice, slice]:
    low, high = max(first, 0), min(first + count, size)
    return slice(low, high), slice(low - first, high - first)


def _repeat(values: NDArray[np.generic], times: int) -> NDArray[np.generic]:
    return values if times == 1 else values.repeat(times, 0).repeat(times, 1)
