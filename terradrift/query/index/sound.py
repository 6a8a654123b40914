"""Whether lists of codes fit each other, so that no search reads outside or misses rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.query.index.codes import Lists

_BLOCKS = 1 << 16
"""Blocks looked at at a time: their factors stay in a processor's cache."""
_LENGTH = 1e-3
"""How far the length of an axis may be from 1."""


def sound(lists: Lists, rows: int) -> bool:
    """Whether `lists` are such as are written for `rows` rows.

    Shapes and types fit; each row with a direction is in one list, once; what a search
    computes with is finite; places of no row can never be hit. Codes themselves are any
    bits. Takes some 20 ns a row, once when a file is opened.
    """
    return _shaped(lists, rows) and _placed(lists, rows) and _measured(lists)


def _shaped(lists: Lists, rows: int) -> bool:
    count, width = lists.centroids.shape
    blocks = len(lists.codes)
    types: list[tuple[NDArray[Any], type[np.generic], tuple[int, ...]]] = [
        (lists.rotation, np.float32, (width, width)),
        (lists.centroids, np.float32, (count, width)),
        (lists.starts, np.int64, (count + 1,)),
        (lists.factors, np.float32, (blocks, 2, lists.codes.shape[2])),
        (lists.positions, np.int32, (blocks, lists.codes.shape[2])),
        (lists.lengths, np.float32, (rows,)),
        (lists.measured, np.float64, (len(lists.measured), lists.measured.shape[-1])),
    ]
    if any(one.dtype != type_ or one.shape != shape for one, type_, shape in types):
        return False
    read = [lists.codes, *(one for one, _, _ in types[:-1])]
    if not all(one.flags.aligned for one in read):
        return False
    rising = bool((np.diff(lists.starts) >= 0).all())
    ends = lists.starts[[0, -1]].tolist() == [0, blocks]
    axes = np.einsum("rd,rd->r", lists.rotation, lists.rotation)
    turned = bool((np.abs(axes - 1) < _LENGTH).all())
    return rising and ends and turned and bool(np.isfinite(lists.centroids).all())


def _placed(lists: Lists, rows: int) -> bool:
    """Each row with a direction once, with finite factors; other places can never be hit."""
    if lists.positions.min(initial=-1) < -1 or lists.positions.max(initial=-1) >= rows:
        return False
    listed = np.zeros(rows, bool)
    many = 0
    for first in range(0, len(lists.positions), _BLOCKS):
        positions = lists.positions[first : first + _BLOCKS]
        scale, rest = lists.factors[first : first + _BLOCKS].transpose(1, 0, 2)
        real = positions >= 0
        held = np.isfinite(scale) & (scale >= 0) & np.isfinite(rest)
        if not np.where(real, held, (scale == 0) & (rest == -np.inf)).all():
            return False
        at = positions[real]
        many += len(at)
        listed[at] = True
    # As many places as rows that stand at one: none stands at two.
    once = many == np.count_nonzero(listed)
    directed = (lists.lengths > 0) & np.isfinite(lists.lengths)
    return once and bool((listed == directed).all())


def _measured(lists: Lists) -> bool:
    if lists.measured.shape[1] != 6:
        return False
    k, far, probes, recall, queries, error = lists.measured.T
    order = np.lexsort((far, k))
    return bool(
        np.isfinite(lists.measured).all()
        and (k >= 1).all()
        and (order == np.arange(len(k))).all()
        and ((probes >= 1) & (probes <= lists.count)).all()
        and ((recall >= 0) & (recall <= 1)).all()
        and (queries >= 1).all()
        and (error >= 0).all()
    )
