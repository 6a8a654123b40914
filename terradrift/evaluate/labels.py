"""Labels of users as shapes with dates and classes: vector files and tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.evaluate import fields
from terradrift.evaluate.truth import NOT_A_DAY

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

_PLACES = (("longitude", "latitude"), ("lon", "lat"), ("lng", "lat"))
_FORMS = (
    "labels as GeoJSON or another vector file, a GeoTIFF, or a table (.csv, .parquet) "
    "with longitude and latitude or patch_id"
)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """`m` labels on the ground."""

    shapes: NDArray[np.object_]
    """(m,), shapely geometries in `crs`; None where `patch_id` says the place."""
    crs: str
    patch_id: NDArray[np.str_]
    """(m,), empty where there is a shape."""
    changed: NDArray[np.bool_]
    """(m,), False where the label says that nothing changed."""
    kind: NDArray[np.str_]
    """(m,)"""
    onset: NDArray[np.datetime64]
    """(m,), datetime64[D], first possible day, NaT where not dated."""
    latest: NDArray[np.datetime64]
    """(m,), datetime64[D], last possible day."""
    name: NDArray[np.str_]
    """(m,), number of the row in the file, from 1."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.kind)


def read_vector(path: Path, reading: fields.Reading) -> Labels:
    """Read a vector file or a table of labels.

    Raises:
        SourceError: unreadable, without a CRS or a place, without the column that is asked
            for, or with a date that cannot be read.
    """
    frame = _frame(path)
    notes: list[str] = []
    shapes, crs, patch_id, empty = _mended(frame, path, notes)
    changed = fields.flags(frame, path)
    kind = fields.kinds(frame, path, reading, notes)
    onset, latest = fields.dates(frame, path, reading, notes)
    keep = ~empty
    keep[keep] = _first_of_equals(
        shapes[keep],
        patch_id[keep],
        changed[keep],
        kind[keep],
        onset[keep],
        latest[keep],
    )
    if twice := int((~keep & ~empty).sum()):
        notes.append(f"{twice:,} labels that repeat another one are left out")
    name = np.arange(1, len(kind) + 1).astype(np.str_)
    return Labels(
        shapes[keep],
        crs,
        patch_id[keep],
        changed[keep],
        kind[keep],
        onset[keep],
        latest[keep],
        name[keep],
        tuple(notes),
    )


def read_area(path: Path) -> Labels:
    """Read a vector file of ground of which only the place matters.

    Raises:
        SourceError: unreadable, without a CRS or a place.
    """
    shapes, crs, patch_id, empty = _mended(_frame(path), path, [])
    shapes, patch_id = shapes[~empty], patch_id[~empty]
    m = len(shapes)
    never = np.full(m, NOT_A_DAY)
    none = np.full(m, "", np.str_)
    return Labels(shapes, crs, patch_id, np.zeros(m, bool), none, never, never, none)


def _mended(
    frame: "pd.DataFrame | gpd.GeoDataFrame", path: Path, notes: list[str]
) -> tuple[NDArray[np.object_], str, NDArray[np.str_], NDArray[np.bool_]]:
    """Valid shapes, their CRS, patch ids, and which rows have no place."""
    shapes, crs, patch_id = _places(frame, path)
    placed = patch_id == ""
    empty = np.array([one is None or one.is_empty for one in shapes], bool) & placed
    if empty.all():
        raise SourceError(f"expected {_FORMS}, {path} holds none")
    if empty.any():
        notes.append(f"{empty.sum():,} labels without a place are left out")
    broken = ~empty & ~shapely.is_valid(shapes) & placed
    if broken.any():
        shapes[broken] = shapely.make_valid(shapes[broken])
        notes.append(f"{broken.sum():,} labels that were not valid shapes were mended")
    return shapes, crs, patch_id, empty


def read_table(path: Path) -> "pd.DataFrame":
    """A CSV or Parquet file without geometry, as it is.

    Raises:
        SourceError: it cannot be read.
    """
    import pandas as pd

    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype={"patch_id": str})
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read the table {path}: {error}") from error


def _frame(path: Path) -> "pd.DataFrame | gpd.GeoDataFrame":
    import geopandas as gpd
    import pyogrio

    if not path.is_file():
        raise SourceError(f"expected {_FORMS}, got no file {path}")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return read_table(path)
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        try:
            # Arrow's own schema, where one is kept in the file, may not tell of it.
            metadata = pq.read_metadata(path).metadata or {}
            has_shapes = b"geo" in metadata
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot read labels {path}: {error}") from error
        return gpd.read_parquet(path) if has_shapes else read_table(path)
    try:
        return gpd.read_file(path)
    except (OSError, ValueError, pyogrio.errors.DataSourceError) as error:
        raise SourceError(f"expected {_FORMS}, cannot read {path}: {error}") from error


def _places(
    frame: "pd.DataFrame | gpd.GeoDataFrame", path: Path
) -> tuple[NDArray[np.object_], str, NDArray[np.str_]]:
    """Shapes, their CRS, and patch ids, of which each row has one."""
    import geopandas as gpd
    import pandas as pd

    no_id = np.full(len(frame), "", np.str_)
    if isinstance(frame, gpd.GeoDataFrame):
        if frame.crs is None:
            raise SourceError(f"labels {path} state no CRS; save them with one")
        shapes = np.array(frame.geometry.to_numpy(), dtype=object)
        return shapes, frame.crs.to_wkt(), no_id
    if (name := fields.column(frame, ("patch_id",))) is not None:
        ids = frame[name].fillna("").to_numpy(np.str_)
        return np.full(len(frame), None, object), "OGC:CRS84", ids
    for longitude, latitude in _PLACES:
        x, y = fields.column(frame, (longitude,)), fields.column(frame, (latitude,))
        if x is None or y is None:
            continue
        lon, lat = (
            pd.to_numeric(frame[each], errors="coerce").to_numpy(np.float64)
            for each in (x, y)
        )
        known = np.isfinite(lon) & np.isfinite(lat)
        if (np.abs(lon[known]) > 180).any() or (np.abs(lat[known]) > 90).any():
            raise SourceError(f"expected {x} and {y} in degrees in {path}")
        shapes = np.full(len(frame), None, object)
        shapes[known] = shapely.points(lon[known], lat[known])
        return shapes, "OGC:CRS84", no_id
    raise SourceError(
        f"expected a table with longitude and latitude, or patch_id, got {path} with "
        f"{', '.join(map(str, frame.columns))}"
    )


def _first_of_equals(
    shapes: NDArray[np.object_], *others: NDArray[Any]
) -> NDArray[np.bool_]:
    """(n,), False for a row that says what an earlier one says."""
    wkb = shapely.to_wkb(shapely.normalize(shapes))
    seen: set[tuple[Any, ...]] = set()
    first = np.ones(len(shapes), bool)
    for row, key in enumerate(
        zip(wkb, *(each.tolist() for each in others), strict=True)
    ):
        first[row] = key not in seen
        seen.add(key)
    return first
