"""How much of each patch labels cover: shapes on the ground to shares of patches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.evaluate.labels import Labels
from terradrift.evaluate.truth import Objects

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_LONGEST = 1000.0
"""Metres: an edge is bent at such steps when it is brought to another CRS, so that it stays
where its own CRS draws it, to a few centimetres."""
_METRES_PER_DEGREE = 111_320.0
_MARGIN = 0.1
"""Around the archive, as a share of its side, to which far shapes are cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """The `n` patches of an archive."""

    ids: NDArray[np.str_]
    """(n,)"""
    cells: NDArray[np.int64]
    """(n, 3), EPSG code, row, column."""
    size: int
    """Metres."""

    def __len__(self) -> int:
        return len(self.ids)

    def boxes(self, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        """(k,) squares in metres of their own CRS."""
        south, west = self.cells[rows, 1:].T * float(self.size)
        return np.asarray(
            shapely.box(west, south, west + self.size, south + self.size), dtype=object
        )


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """What labels say of `n` patches."""

    objects: Objects
    changed: NDArray[np.float64]
    """(n,), 0..1, share of the patch that is labelled as changed."""
    unknown: NDArray[np.float64]
    """(n,), 0..1, share of which nothing is known."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Shapes that meet patches."""

    shape: NDArray[np.int64]
    """(p,), number of the shape."""
    patch: NDArray[np.int64]
    """(p,), row of the patch."""
    share: NDArray[np.float64]
    """(p,), above 0; a point or a line stands for the whole patch."""
    piece: NDArray[np.object_]
    """(p,), the part of the shape in the patch, in metres; None where it fills it."""


def cover(
    patches: Patches,
    labels: Labels,
    *,
    extent: Labels | None = None,
    controls: Labels | None = None,
    period: tuple[np.datetime64, np.datetime64] | None = None,
) -> Cover:
    """Bring labels to patches.

    Ground without a label is unchanged; with `extent`, only inside it; with `controls`, or
    with labels that say that nothing changed, only there. A change that is dated outside
    the `period` (first and last day, inclusive) cannot be seen, and is unknown ground.
    """
    notes = list(labels.notes)
    n = len(patches)
    pairs = _meet(patches, labels)
    seen = np.isin(np.arange(len(labels)), pairs.shape)
    if lost := int((~seen).sum()):
        notes.append(
            f"{lost:,} of {len(labels):,} labels lie outside the archive's patches"
        )
    outside = _outside(labels, period)
    if late := int((outside & seen & labels.changed).sum()):
        notes.append(
            f"{late:,} labels are dated outside the archive's period: not known here"
        )
    counted = labels.changed & ~outside & seen
    changed = _union(n, _chosen(pairs, counted))
    sure = [_chosen(pairs, counted), _chosen(pairs, ~labels.changed)]
    limits = [each for each in (extent, controls) if each is not None]
    sure += [_meet(patches, each) for each in limits]
    bounded = bool(limits) or bool((~labels.changed).any())
    notes.append(_said(extent, controls, labels))
    unknown = np.zeros(n)
    if bounded:
        unknown = 1 - _union(n, _together(sure))
    not_seen = _union(n, _chosen(pairs, labels.changed & outside))
    unknown = np.clip(np.maximum(unknown, not_seen), 0, 1 - changed)
    number = np.cumsum(counted) - 1
    kept = _chosen(pairs, counted)
    objects = Objects(
        labels.name[counted],
        labels.kind[counted],
        labels.onset[counted],
        labels.latest[counted],
        number[kept.shape],
        kept.patch,
        kept.share,
    )
    return Cover(objects, changed, unknown, tuple(notes))


def _said(extent: Labels | None, controls: Labels | None, labels: Labels) -> str:
    named = [
        name
        for name, there in (
            ("the extent", extent is not None),
            ("the controls", controls is not None),
            ("labels that say so", bool((~labels.changed).any())),
        )
        if there
    ]
    if not named:
        return "ground without a label is taken as unchanged, in the whole archive"
    return f"ground without a label is taken as unchanged only in {' and '.join(named)}"


def _outside(
    labels: Labels, period: tuple[np.datetime64, np.datetime64] | None
) -> NDArray[np.bool_]:
    """(m,), labels whose change cannot lie in the period."""
    if period is None:
        return np.zeros(len(labels), bool)
    first, last = period
    return (labels.latest < first) | (labels.onset > last)


def _meet(patches: Patches, labels: Labels) -> Pairs:
    """All pairs of a label and a patch that it covers a part of."""
    parts = [_by_id(patches, labels)]
    placed = np.flatnonzero(labels.patch_id == "")
    if len(placed):
        parts += _by_shape(patches, labels, placed)
    return _together(parts)


def _by_id(patches: Patches, labels: Labels) -> Pairs:
    order = np.argsort(patches.ids)
    named = np.flatnonzero(labels.patch_id != "")
    ids = labels.patch_id[named]
    at = np.searchsorted(patches.ids, ids, sorter=order)
    row = order[np.minimum(at, len(order) - 1)]
    there = patches.ids[row] == ids
    if len(named) and not there.any():
        raise SourceError(
            f"none of the {len(named):,} patch_id of the labels, such as {ids[0]}, is in "
            f"the archive, whose patches are called {patches.ids[0]}"
        )
    count = int(there.sum())
    return Pairs(named[there], row[there], np.ones(count), np.full(count, None, object))


def _by_shape(
    patches: Patches, labels: Labels, placed: NDArray[np.int64]
) -> Iterator[Pairs]:
    """Pairs of each of the grid's CRSs."""
    crs = pyproj.CRS.from_user_input(labels.crs)
    for epsg in np.unique(patches.cells[:, 0]).tolist():
        rows = np.flatnonzero(patches.cells[:, 0] == epsg)
        boxes = patches.boxes(rows)
        near, shapes = _near(labels.shapes[placed], boxes, crs, epsg)
        if len(near) == 0:
            continue
        found = _pairs(_moved(shapes, crs, epsg), boxes, float(patches.size) ** 2)
        yield Pairs(
            placed[near[found.shape]], rows[found.patch], found.share, found.piece
        )


def _near(
    shapes: NDArray[np.object_], boxes: NDArray[np.object_], crs: pyproj.CRS, epsg: int
) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Numbers of shapes that may meet the boxes, and what of them lies around the boxes.

    A projection cannot take what is far away.
    """
    back = pyproj.Transformer.from_crs(epsg, crs, always_xy=True)
    west, south, east, north = shapely.total_bounds(boxes)
    margin = max(east - west, north - south) * _MARGIN
    west, south, east, north = back.transform_bounds(
        west - margin, south - margin, east + margin, north + margin
    )
    if not np.isfinite([west, south, east, north]).all():
        return np.zeros(0, np.int64), np.zeros(0, object)
    around: BaseGeometry = shapely.box(west, south, east, north)
    if west > east:  # across the antimeridian
        around = shapely.union(
            shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)
        )
    shapely.prepare(around)
    near = np.flatnonzero(shapely.intersects(around, shapes))
    cut = np.asarray(shapes[near], dtype=object)
    part = ~shapely.covers(around, cut)
    cut[part] = shapely.intersection(cut[part], around)
    return near, cut


def _moved(
    shapes: NDArray[np.object_], crs: pyproj.CRS, epsg: int
) -> NDArray[np.object_]:
    to = pyproj.Transformer.from_crs(crs, epsg, always_xy=True)
    step = _LONGEST / _METRES_PER_DEGREE if crs.is_geographic else _LONGEST

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        # The last point goes in twice: pyproj makes scalars of arrays of length 1.
        x, y = to.transform(*np.append(xy, xy[-1:], axis=0).T)
        return np.column_stack([x, y])[: len(xy)]

    moved = shapely.transform(shapely.segmentize(shapes, step), move)
    broken = ~shapely.is_valid(moved)
    moved[broken] = shapely.make_valid(moved[broken])
    return np.asarray(moved, dtype=object)


def _pairs(
    shapes: NDArray[np.object_], boxes: NDArray[np.object_], area: float
) -> Pairs:
    tree = shapely.STRtree(boxes)
    shape, patch = tree.query(shapes, predicate="intersects")
    full = np.zeros(len(shape), bool)
    filled = tree.query(shapes, predicate="covers")
    keys = shape * len(boxes) + patch
    full = np.isin(keys, filled[0] * len(boxes) + filled[1])
    piece = np.full(len(shape), None, object)
    share = np.ones(len(shape))
    wide = shapely.get_dimensions(shapes)[shape] == 2
    part = np.flatnonzero(~full & wide)
    piece[part] = shapely.intersection(shapes[shape[part]], boxes[patch[part]])
    share[part] = shapely.area(piece[part]) / area
    kept = share > 0
    return Pairs(shape[kept], patch[kept], np.minimum(share[kept], 1), piece[kept])


def _union(n: int, pairs: Pairs) -> NDArray[np.float64]:
    """(n,) share of each patch that at least one of the shapes covers."""
    total = np.zeros(n)
    np.maximum.at(total, pairs.patch, pairs.share)
    count = np.bincount(pairs.patch, minlength=n)
    several = (count > 1) & (total < 1)
    order = np.argsort(pairs.patch, kind="stable")
    rows = order[several[pairs.patch[order]]]
    for group in np.split(rows, np.flatnonzero(np.diff(pairs.patch[rows])) + 1):
        if len(group):
            pieces = pairs.piece[group]
            per_area = shapely.area(pieces[0]) / pairs.share[group[0]]
            whole = shapely.area(shapely.union_all(pieces))
            total[pairs.patch[group[0]]] = min(whole / per_area, 1.0)
    return total


def _chosen(pairs: Pairs, labels: NDArray[np.bool_]) -> Pairs:
    kept = labels[pairs.shape]
    return Pairs(
        pairs.shape[kept], pairs.patch[kept], pairs.share[kept], pairs.piece[kept]
    )


def _together(parts: list[Pairs]) -> Pairs:
    return Pairs(
        np.concatenate([part.shape for part in parts]),
        np.concatenate([part.patch for part in parts]),
        np.concatenate([part.share for part in parts]),
        np.concatenate([part.piece for part in parts]),
    )
