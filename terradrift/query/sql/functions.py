"""Functions of SQL that are Python inside, and the macros that call them.

They read the tables that the connection was opened on, whatever is written since.
"""

import json
from functools import lru_cache
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import shapely

from terradrift.errors import QueryError
from terradrift.query import region as regions
from terradrift.query.between import Histories
from terradrift.query.sql import deep, macros, similar_changes
from terradrift.query.sql.udf import instants, register, values

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from terradrift.query.pinned import Pinned

_REGIONS_HELD = 64
_SHOWN = 60
"""Characters of what cannot be read that a message repeats."""


def create(
    connection: duckdb.DuckDBPyConnection, store: "Pinned | None", *, spatial: bool
) -> None:
    """Register the functions and their macros, before the connection is sealed.

    Without a `store` there are those alone that need no more than the views.
    """
    deep.create(connection, spatial=spatial)
    plain: tuple[str, ...] = macros.ON_CHANGES
    if spatial:
        register(connection, "region_", region, ["VARCHAR"], "BLOB")
        plain += macros.WITH_SPATIAL
    else:
        register(connection, "touches_", touches, ["BLOB", "VARCHAR"], "BOOLEAN")
        plain += macros.WITHOUT_SPATIAL
    if store is not None:
        similar_changes.create(connection, store, spatial=spatial)
        _of_patches(connection, Histories(store, store.settings.model))
        plain += macros.ON_TABLES
    for macro in plain:
        connection.execute(macro)


def _of_patches(connection: duckdb.DuckDBPyConnection, histories: Histories) -> None:
    def drift(
        patch: pa.ChunkedArray, first: pa.ChunkedArray, second: pa.ChunkedArray
    ) -> pa.Array:
        found = histories.drift(values(patch), instants(first), instants(second))
        return pa.array(found, pa.float64(), from_pandas=True)

    def known(patch: pa.ChunkedArray) -> pa.ChunkedArray:
        histories.check(values(patch))
        return patch

    two = ["VARCHAR", "TIMESTAMPTZ", "TIMESTAMPTZ"]
    register(connection, "drift_between_", drift, two, "DOUBLE")
    register(connection, "known_patch_", known, ["VARCHAR"], "VARCHAR")


def touches(wkb: pa.ChunkedArray, geojson: pa.ChunkedArray) -> pa.Array:
    """Whether each geometry (WKB) touches the region beside it; null where one is null.

    Raises:
        QueryError: a region is no GeoJSON, not valid, or not in degrees.
    """
    shapes = shapely.from_wkb(np.array(values(wkb), object))
    texts = np.array(values(geojson), object)
    found: NDArray[np.bool_] = np.zeros(len(texts), bool)
    for text in {one for one in texts if one is not None}:
        here = texts == text
        found[here] = shapely.intersects(_region(text), shapes[here])
    unknown = shapely.is_missing(shapes) | np.array([one is None for one in texts])
    return pa.array(found, pa.bool_(), mask=unknown)


def region(geojson: pa.ChunkedArray) -> pa.Array:
    """Each region as WKB; null of null.

    Raises:
        QueryError: as `touches`.
    """
    texts = values(geojson)
    found = [None if text is None else shapely.to_wkb(_region(text)) for text in texts]
    return pa.array(found, pa.binary())


@lru_cache(_REGIONS_HELD)
def _region(geojson: str) -> "BaseGeometry":
    try:
        parsed = json.loads(geojson)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):  # a text alone could name a file
        raise QueryError(f"expected a region as GeoJSON, got {geojson[:_SHOWN]!r}")
    shape = regions.parse(parsed)
    shapely.prepare(shape)
    return shape
