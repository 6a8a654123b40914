"""The covering column of boxes: its form, and that each box is that of its row's geometry."""

from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyarrow import parquet

from terradrift.conform.finding import Findings, named, short
from terradrift.conform.geoparquet.footer import SPEC

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_DEEP = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")
_CLAUSE = f"{SPEC}, Bounding Box Columns"


def column(
    file: parquet.ParquetFile,
    name: str,
    geo: dict[str, Any],
    found: Findings,
    where: str,
) -> str | None:
    """The covering column of the geometry column `name` where it is well formed."""
    covering = geo["columns"][name].get("covering")
    at = f"{where}#geo.columns.{named(name)}.covering"
    if covering is None:
        found.warning(
            "geoparquet.covering",
            at,
            "a covering column of boxes, by which readers skip row groups",
            "none",
            "add a struct bbox{xmin, ymin, xmax, ymax} and name it in covering",
            f"{SPEC}, covering",
        )
        return None
    paths = covering["bbox"]
    roots = {path[0] for path in paths.values()}
    if len(roots) != 1:
        found.error(
            "geoparquet.covering",
            at,
            "one column in all paths",
            ", ".join(map(named, sorted(roots))),
            "name the same column in each",
            f"{SPEC}, bbox covering encoding",
        )
        return None
    root = str(next(iter(roots)))
    if not _formed(file.schema_arrow, root, name, found, where):
        return None
    if ("zmin" in paths) != ("zmax" in paths):
        found.error(
            "geoparquet.covering",
            at,
            "zmin and zmax, or neither",
            "one of them",
            "name both",
        )
    _statistics(file, root, found, where)
    return root


def _formed(
    held: pa.Schema, root: str, geometry: str, found: Findings, where: str
) -> bool:
    at = f"{where}#{named(root)}"
    index = held.get_field_index(root)
    if index < 0:
        found.error(
            "geoparquet.covering",
            at,
            "the column that covering names, at the root",
            "none",
            "write it, or leave covering out",
            _CLAUSE,
        )
        return False
    field = held.field(index)
    names = (
        tuple(one.name for one in field.type) if pa.types.is_struct(field.type) else ()
    )
    if names not in (_SIDES, _DEEP):
        order = set(names) in (set(_SIDES), set(_DEEP))
        # GeoParquet's own example has another order, and readers go by name.
        say = found.warning if order else found.error
        say(
            "geoparquet.covering",
            at,
            f"a struct of {', '.join(_SIDES)} in this order (with zmin and zmax in 3D)",
            named(str(field.type)),
            "write the fields so",
            _CLAUSE,
        )
    if not set(_SIDES) <= set(names):
        return False
    kinds = {one.type for one in field.type}
    if kinds not in ({pa.float32()}, {pa.float64()}):
        found.error(
            "geoparquet.covering",
            at,
            "float or double, the same for all sides",
            ", ".join(sorted(map(str, kinds))),
            "cast them",
            _CLAUSE,
        )
        return False
    if field.nullable != held.field(geometry).nullable:
        found.error(
            "geoparquet.covering",
            at,
            "the repetition of the geometry column",
            f"{'optional' if field.nullable else 'required'}, and not as {named(geometry)}",
            "make both optional, or both required",
            _CLAUSE,
        )
    return True


def _statistics(
    file: parquet.ParquetFile, root: str, found: Findings, where: str
) -> None:
    held = file.metadata
    without = 0
    for i in range(held.num_row_groups):
        group = held.row_group(i)
        for c in range(group.num_columns):
            one = group.column(c)
            if one.path_in_schema == f"{root}.xmin" and not (
                one.is_stats_set and one.statistics.has_min_max
            ):
                without += 1
    if without:
        found.warning(
            "geoparquet.statistics",
            f"{where}#{named(root)}",
            "least and largest values of the boxes in every row group",
            f"none in {without:,} of {held.num_row_groups:,}",
            "write statistics of this column; without them covering saves nothing",
            f"{SPEC}, bbox covering encoding",
        )


def judge(
    boxes: pa.StructArray,
    shapes: NDArray[np.object_],
    at: str,
    first_row: int,
    found: Findings,
) -> None:
    """Whether each box is there where its geometry is, and is the geometry's own."""
    given = shapely.is_geometry(shapes)
    there = np.asarray(boxes.is_valid())
    if (given != there).any():
        row = int(np.flatnonzero(given != there)[0])
        found.error(
            "geoparquet.covering.null",
            f"{at} row {first_row + row:,}",
            "a box if, and only if, there is a geometry",
            "a box without" if there[row] else "a geometry without",
            "write null for both, or for neither",
            _CLAUSE,
        )
    sides = np.stack(
        [
            np.asarray(
                boxes.field(side).cast(pa.float64()).to_numpy(zero_copy_only=False)
            )
            for side in _SIDES
        ],
        axis=1,
    )
    bounds = shapely.bounds(shapes)
    both = given & there & np.isfinite(bounds).all(axis=1)
    both &= ~(sides[:, 0] > sides[:, 2])  # across the antimeridian: not told by bounds
    box, real = sides[both], bounds[both]
    if not box.size:
        return
    rows = np.flatnonzero(both) + first_row
    grain = np.zeros_like(box)
    if boxes.type.field(0).type == pa.float32():
        grain = np.spacing(np.abs(real).astype(np.float32)).astype(np.float64)
    short_of = np.concatenate(
        [box[:, :2] - real[:, :2], real[:, 2:] - box[:, 2:]], axis=1
    )
    beyond = (short_of > grain).any(axis=1) | ~np.isfinite(box).all(axis=1)
    if beyond.any():
        i = int(np.flatnonzero(beyond)[0])
        found.error(
            "geoparquet.covering.box",
            f"{at} row {int(rows[i]):,}",
            f"a box around its geometry, {short(real[i].round(7).tolist())}",
            f"{short(box[i].round(7).tolist())} ({int(beyond.sum()):,} such rows near)",
            "compute the boxes of the geometries; a reader that filters loses rows",
            _CLAUSE,
        )
    elif (short_of > 0).any():
        found.warning(
            "geoparquet.covering.rounding",
            at,
            "boxes rounded outward to float",
            "sides rounded into the geometry",
            "round minima down and maxima up, or use double",
            _CLAUSE,
        )
    _loose(box, real, at, rows, found)


def _loose(
    box: NDArray[np.float64],
    real: NDArray[np.float64],
    at: str,
    rows: NDArray[np.int64],
    found: Findings,
) -> None:
    """Boxes that are far larger than their geometries."""
    wide = (box[:, 2:] - box[:, :2]).max(axis=1)
    own = (real[:, 2:] - real[:, :2]).max(axis=1)
    loose = wide > 2 * own + 1e-5 * np.maximum(1.0, np.abs(real).max(axis=1))
    if loose.any():
        i = int(np.flatnonzero(loose)[0])
        found.warning(
            "geoparquet.covering.loose",
            f"{at} row {int(rows[i]):,}",
            f"the geometry's own range, {short(real[i].round(7).tolist())}",
            short(box[i].round(7).tolist()),
            "compute the boxes of the geometries",
            _CLAUSE,
        )
