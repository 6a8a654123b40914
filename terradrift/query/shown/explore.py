"""Rows on a map that one can move, by lonboard; nothing is fetched unless a basemap is asked for."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.store.out.colours import CIVIDIS, OKABE_ITO

if TYPE_CHECKING:
    import geopandas as gpd
    from lonboard import Map

ROWS = 50_000
"""Rows that are drawn unless more are asked for."""
_NEAR = 0.85
"""Opacity of a row's colour."""
_NUMBERS = ("score", "distance", "max_score", "drift", "z")
_GREY = (128, 128, 128)


def draw(
    rows: pa.Table, *, by: str | None = None, basemap: bool = False, left: bool = False
) -> "Map":
    """The rows as polygons or points, coloured by a column.

    Args:
        rows: with `geometry` (WKB in degrees), or `longitude` and `latitude`.
        by: a column; a number is drawn in cividis by rank, text and `kind` in the colours of
            Okabe and Ito. None: `score`, `distance` or `kind`, whichever is there.
        basemap: fetch a map of streets from the internet to draw beneath.
        left: whether there are more rows than these, which is then said.

    Raises:
        QueryError: lonboard is not installed, no places, or no such column.
    """
    try:
        import lonboard
    except ImportError as error:
        raise QueryError(
            "explore() draws with lonboard, which is not installed; "
            "pip install 'terradrift[notebook]'"
        ) from error
    frame = _frame(rows)
    if left:
        warnings.warn(
            f"the first {len(frame):,} rows are drawn, there are more; pass limit= for "
            "others",
            UserWarning,
            stacklevel=3,
        )
    name = _column(rows, by)
    colours = np.column_stack(
        [_colours(rows, name), np.full(len(frame), round(255 * _NEAR))]
    ).astype(np.uint8)
    points = bool(len(frame)) and bool((frame.geom_type == "Point").all())
    options: dict[str, Any] = {"pickable": True, "get_fill_color": colours}
    if points:
        layer = lonboard.ScatterplotLayer.from_geopandas(
            frame, radius_min_pixels=3, **options
        )
    else:
        layer = lonboard.PolygonLayer.from_geopandas(
            frame,
            get_line_color=[128, 128, 128, 160],
            line_width_min_pixels=1,
            **options,
        )
    more: Any = {} if basemap else {"basemap": None}
    return lonboard.Map([layer], show_tooltip=True, **more)


def _frame(rows: pa.Table) -> "gpd.GeoDataFrame":
    """Rows with shapes, and those columns of theirs that a tooltip can show."""
    import geopandas as gpd
    import shapely

    from terradrift.query import flat, geoparquet

    if not rows.num_rows:
        raise QueryError("expected rows to draw, got none; widen the question")
    kept = rows.drop_columns([one.name for one in rows.schema if flat.is_place(one)])
    place = next((one.name for one in rows.schema if flat.is_place(one)), None)
    if place is not None:
        shapes = geoparquet.shapes(_storage(rows[place]))
    elif {"longitude", "latitude"} <= set(rows.column_names):
        shapes = shapely.points(
            rows["longitude"].to_numpy(), rows["latitude"].to_numpy()
        )
    else:
        raise QueryError(
            "expected a column geometry, or longitude and latitude, to draw; got "
            f"{', '.join(rows.column_names)}"
        )
    frame = flat.flat(kept).to_pandas()
    return gpd.GeoDataFrame(frame, geometry=list(shapes), crs="OGC:CRS84")


def _storage(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if isinstance(column.type, pa.ExtensionType):
        return pa.chunked_array([one.storage for one in column.chunks])
    return column


def _column(rows: pa.Table, by: str | None) -> str | None:
    if by is not None and by not in rows.column_names:
        raise QueryError(
            f"expected one of {', '.join(rows.column_names)} to colour by, got {by}"
        )
    return by or next(
        (name for name in (*_NUMBERS, "kind") if name in rows.column_names), None
    )


def _colours(rows: pa.Table, name: str | None) -> NDArray[np.uint8]:
    """(n, 3) colours; grey where there is no value."""
    out = np.tile(np.array(_GREY, np.uint8), (rows.num_rows, 1))
    if name is None:
        return out
    column = rows[name].combine_chunks()
    if pa.types.is_floating(column.type) or (
        pa.types.is_integer(column.type) and name != "kind"
    ):
        value = column.to_numpy(zero_copy_only=False).astype(np.float64)
        known = np.isfinite(value)
        ranks = np.searchsorted(np.sort(value[known]), value[known], side="right")
        part = ranks / max(1, int(known.sum()))
        out[known] = _between(1 - part if name == "distance" else part)
        return out
    names = {one: i for i, one in enumerate(sorted(set(column.to_pylist()) - {None}))}
    palette = [_rgb(one) for one in OKABE_ITO]
    for i, one in enumerate(column.to_pylist()):
        if one is not None and one != -1:
            out[i] = palette[names[one] % len(palette)]
    return out


def _between(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) colours of cividis at 0..1."""
    stops = np.array([_rgb(one) for one in CIVIDIS], np.float64)
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(part, at, stops[:, i]) for i in range(3)], axis=1)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
