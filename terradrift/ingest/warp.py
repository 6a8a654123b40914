"""From one raster of pixels to another that does not nest with it (pure).

Places of target pixels in the source are worked out exactly on a lattice that is tied to
the target's own coordinates and interpolated between (under a millimetre off at 10 m), so
a pixel has the same value whichever window it is read in.

Finer or equal targets are interpolated bilinearly among the clear source pixels only, so
that what is masked never bleeds; a pixel is clear where the source pixel that it lies in
is. Coarser targets are averages of the clear source pixels inside, clear where at least
half of these are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from terradrift.ingest.frame import Frame, Span, is_geographic, same_crs, transformer

_LATTICE = 16
_CHUNK_PX = 1 << 18
_KEPT = 32
"""Chunks whose places are kept (at most 3 MiB each): bands and days share them."""
_MARGIN = 2
_OUTSIDE = -1e9
_PAD = 2
"""Pixels of nothing around a source, so that no place needs to be asked if it is inside."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where target pixels lie in a source, (y, x) each, in its pixel edges."""

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]


def per_side(source: Frame, target: Frame) -> int:
    """How many source pixels lie along a target pixel, at least 1.

    Judged at the middle of the source, so that all windows of a file agree.
    """
    a, b, c, d, e, f = source.transform
    col = source.width / 2 + np.array([0.0, 1.0, 0.0])
    row = source.height / 2 + np.array([0.0, 0.0, 1.0])
    x, y = a * col + b * row + c, d * col + e * row + f
    if not same_crs(source.crs, target.crs):
        x, y = transformer(source.crs, target.crs).transform(x, y)
    area = abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))
    if not math.isfinite(area) or area <= 0:
        return 1
    return max(
        1, round(math.sqrt(abs(target.transform[0] * target.transform[4]) / area))
    )


def needed(source: Frame, target: Frame) -> Span:
    """The rows and columns of `source` that the target's pixels lie in, and some around."""
    rows, cols = (
        np.linspace(0, n, min(n, 64) + 1) for n in (target.height, target.width)
    )
    at = _places(source, target, rows, cols)
    known = (at.rows > _OUTSIDE / 2) & (at.cols > _OUTSIDE / 2)
    if not known.any():
        return Span(0, 0, 0, 0)
    lines, samples = at.rows[known], at.cols[known]
    margin = _MARGIN + per_side(source, target)
    top, left = (math.floor(axis.min()) - margin for axis in (lines, samples))
    bottom, right = (math.ceil(axis.max()) + margin for axis in (lines, samples))
    return Span(left, top, right - left, bottom - top).within(source)


def warp(
    values: NDArray[np.float32],
    clear: NDArray[np.bool_],
    source: Frame,
    span: Span,
    *,
    target: Frame,
    out: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Resample (band, y, x) `values` of the `span` of `source` into `out` on `target`.

    Values that are not `clear` (y, x) must be finite; they are not used. Returns which
    pixels of `out` (y, x) are clear; the others hold nothing of meaning.
    """
    side = per_side(source, target)
    flat = np.pad(values, ((0, 0), (_PAD, _PAD), (_PAD, _PAD))).reshape(len(values), -1)
    usable = np.pad(clear, _PAD).ravel()
    found = np.zeros((target.height, target.width), bool)
    for lines in _chunks(target, side):
        taps = _taps(source, span, target, (lines.start, lines.stop, side))
        if side == 1:
            found[lines] = _bilinear(flat, usable, taps, out[:, lines])
        else:
            found[lines] = _average(flat, usable, taps.index, out[:, lines])
    return found


def nearest(
    values: NDArray[np.generic], source: Frame, span: Span, target: Frame
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """(y, x) `values` at the middle of the target's pixels, and where there are any."""
    flat, there = (
        np.pad(values, _PAD).ravel(),
        np.pad(np.ones(values.shape, bool), _PAD),
    )
    out = np.zeros((target.height, target.width), values.dtype)
    found = np.zeros(out.shape, bool)
    for lines in _chunks(target, 1):
        taps = _taps(source, span, target, (lines.start, lines.stop, 1))
        index = taps.nearest()
        out[lines], found[lines] = flat[index], there.ravel()[index]
    return out, found


@dataclass(frozen=True, slots=True, eq=False)
class _Taps:
    """Positions of source pixels in a padded, flattened span; (y, x) each."""

    index: NDArray[np.int32]
    """The upper left of the four around, or with several samples the one they lie in."""
    down: NDArray[np.float32]
    """How far the place is from there to the next row, 0 to 1; empty where not needed."""
    across: NDArray[np.float32]
    stride: int
    """Positions from one row to the next."""

    def nearest(self) -> NDArray[np.int32]:
        """The pixel that the place lies in."""
        right = (self.across >= 0.5).astype(np.int32)
        below = (self.down >= 0.5).astype(np.int32)
        position: NDArray[np.int32] = self.index + below * np.int32(self.stride) + right
        return position


@lru_cache(maxsize=_KEPT)
def _taps(
    source: Frame, span: Span, target: Frame, part: tuple[int, int, int]
) -> _Taps:
    """Taps of target lines `part` = (first, end, samples per side)."""
    first, end, side = part
    at = _centres(source, target, slice(first, end), side)
    half = 0.5 if side == 1 else 0.0
    row, col = np.floor(at.rows - half), np.floor(at.cols - half)
    stride = span.width + 2 * _PAD
    # Far off places move onto the padding, of which all four are nothing.
    down = np.clip(row - span.top, -_PAD, span.height).astype(np.int32) + _PAD
    right = np.clip(col - span.left, -_PAD, span.width).astype(np.int32) + _PAD
    index = down * np.int32(stride) + right
    if side > 1:
        none = np.empty((0, 0), np.float32)
        return _Taps(index, none, none, stride)
    fractions = at.rows - half - row, at.cols - half - col
    below, beside = (fraction.astype(np.float32) for fraction in fractions)
    return _Taps(index, below, beside, stride)


def _chunks(target: Frame, samples: int) -> Iterator[slice]:
    step = max(1, _CHUNK_PX // (target.width * samples * samples))
    for first in range(0, target.height, step):
        yield slice(first, min(first + step, target.height))


def _centres(source: Frame, target: Frame, lines: slice, samples: int) -> Places:
    """Places of the middles of target pixels, or of `samples` x `samples` parts of them."""
    height, width = (lines.stop - lines.start) * samples, target.width * samples
    rows = lines.start + (np.arange(height) + 0.5) / samples
    cols = (np.arange(width) + 0.5) / samples
    return _places(source, target, rows, cols)


def _places(
    source: Frame, target: Frame, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> Places:
    """Where target rows and columns (1-D, pixel edges) lie in the source.

    Places that the projection does not reach lie far outside of any raster.
    """
    gx, _, left, _, gy, top = target.transform
    lines, samples = rows + _anchor(top / gy), cols + _anchor(left / gx)
    if same_crs(source.crs, target.crs):
        return _in_source(source, *np.meshgrid(gx * samples, gy * lines))
    line_nodes, sample_nodes = _nodes(lines), _nodes(samples)
    x, y = np.meshgrid(gx * sample_nodes, gy * line_nodes)
    exact = _in_source(source, *transformer(target.crs, source.crs).transform(x, y))
    down = _weights(lines, line_nodes)
    across = _weights(samples, sample_nodes)
    return Places(
        *(_between(nodes, down, across) for nodes in (exact.rows, exact.cols))
    )


def _anchor(corner: float) -> float:
    """A frame's corner in its pixels from the origin of its CRS; whole where it can be."""
    whole = round(corner)
    return float(whole) if abs(corner - whole) < 1e-6 else corner


def _in_source(source: Frame, x: NDArray[np.float64], y: NDArray[np.float64]) -> Places:
    if is_geographic(source.crs):
        a, b, c, *_ = source.transform
        middle = c + a * source.width / 2 + b * source.height / 2
        x = x - 360 * np.round((x - middle) / 360)
    rows, cols = source.rows_cols(x, y)
    known = np.isfinite(rows) & np.isfinite(cols)
    return Places(np.where(known, rows, _OUTSIDE), np.where(known, cols, _OUTSIDE))


def _nodes(at: NDArray[np.float64]) -> NDArray[np.float64]:
    first = math.floor(at[0] / _LATTICE)
    last = math.floor(at[-1] / _LATTICE) + 1
    return np.arange(first, last + 1) * float(_LATTICE)


def _weights(
    at: NDArray[np.float64], nodes: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The node before each place, and how far on it is towards the next, 0 to 1."""
    before = np.floor(at / _LATTICE).astype(np.int64)
    return before - round(nodes[0] / _LATTICE), at / _LATTICE - before


def _between(
    nodes: NDArray[np.float64],
    down: tuple[NDArray[np.int64], NDArray[np.float64]],
    across: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    (row, fr), (col, fc) = down, across
    lines = nodes[row] * (1 - fr)[:, None] + nodes[row + 1] * fr[:, None]
    found: NDArray[np.float64] = lines[:, col] * (1 - fc) + lines[:, col + 1] * fc
    return found


def _bilinear(
    flat: NDArray[np.float32],
    usable: NDArray[np.bool_],
    taps: _Taps,
    out: NDArray[np.float32],
) -> NDArray[np.bool_]:
    shape = taps.index.shape
    total, picked = np.zeros(shape, np.float32), np.empty(shape, np.float32)
    out[...] = 0
    for below, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        index = taps.index + np.int32(below * taps.stride + right)
        weight = taps.down if below else 1 - taps.down
        weight = weight * (taps.across if right else 1 - taps.across)
        weight *= usable[index]
        total += weight
        for number, band in enumerate(flat):
            np.take(band, index, out=picked, mode="clip")
            picked *= weight
            out[number] += picked
    ok: NDArray[np.bool_] = usable[taps.nearest()] & (total > 0)
    out /= np.where(total > 0, total, 1)
    return ok


def _average(
    flat: NDArray[np.float32],
    usable: NDArray[np.bool_],
    index: NDArray[np.int32],
    out: NDArray[np.float32],
) -> NDArray[np.bool_]:
    _, height, width = out.shape
    side = len(index) // height
    blocks = (height, side, width, side)
    seen = usable[index]
    counts = seen.reshape(blocks).sum(axis=1, dtype=np.int32).sum(axis=2)
    for band, line in zip(flat, out, strict=True):
        picked = np.take(band, index, mode="clip")
        picked *= seen
        np.divide(
            picked.reshape(blocks).sum(axis=1).sum(axis=2),
            np.maximum(counts, 1),
            out=line,
            casting="same_kind",
        )
    ok: NDArray[np.bool_] = counts * 2 >= side * side
    return ok
