"""Functions of SQL that are SQL themselves."""

import re
from collections.abc import Iterable, Mapping

MACROS = (
    """
    CREATE MACRO cosine_distance(a, b) AS
        list_cosine_distance(a::FLOAT[], b::FLOAT[])
    """,
    """
    CREATE MACRO in_bbox(box, west, south, east, north) AS
        struct_extract(box, 'ymin') <= north AND struct_extract(box, 'ymax') >= south
        AND CASE WHEN west <= east
            THEN struct_extract(box, 'xmin') <= east AND struct_extract(box, 'xmax') >= west
            ELSE struct_extract(box, 'xmin') <= east OR struct_extract(box, 'xmax') >= west
        END
    """,
    # By TIMESTAMP: calendars of TIMESTAMPTZ cost ten times as much, and UTC needs none.
    """
    CREATE MACRO month_of(instant) AS
        CAST(date_trunc('month', make_timestamp(epoch_us(instant))) AS DATE)
    """,
    """
    CREATE MACRO year_month(instant) AS
        strftime(make_timestamp(epoch_us(instant)), '%Y-%m')
    """,
)
"""
* `cosine_distance(a, b)`: 0 (same direction) to 2 (opposite) of two vectors.
* `in_bbox(bbox, west, south, east, north)`: whether a row's box touches one in degrees;
  west > east crosses the antimeridian.
* `month_of(instant)`: the first day of its month (UTC), a DATE.
* `year_month(instant)`: its month (UTC) as text such as 2018-05.
"""

_OF_CHANGE = (
    "change_id",
    "number",
    "onset",
    "ended",
    "date_before",
    "date_after",
    "drift",
    "z",
    "p_value",
    "score",
    "persistence",
    "d_ndvi",
    "d_nbr",
    "d_ndwi",
    "kind",
    "event_id",
)
"""What `first_change` and its like tell of a change."""


def _change_of_patch(name: str, choose: str) -> str:
    """A macro that gives one change of a patch as a STRUCT.

    An argument may be any expression of the caller's columns, so beside it no column may
    stand that bears a name of theirs: all end in an underscore.
    """
    fields = ", ".join(f"{column} := {column}" for column in _OF_CHANGE)
    return f"""
        CREATE MACRO {name}(patch) AS (
            SELECT {choose} FROM (
                SELECT patch_id AS patch_, onset AS onset_, score AS score_,
                       struct_pack({fields}) AS change_
                FROM changes
            ) WHERE patch_ = patch
        )
    """  # noqa: S608 - names of our own schema


ON_CHANGES = (
    _change_of_patch("first_change", "arg_min(change_, onset_)"),
    _change_of_patch("last_change", "arg_max(change_, onset_)"),
    _change_of_patch("largest_change", "arg_max(change_, row(score_, onset_))"),
)
"""
* `first_change(patch)`, `last_change(patch)`, `largest_change(patch)`: the change of a patch
  with the first onset, the last one, the highest score (of equal ones the later), as a
  STRUCT; null where the patch has none. As in Esri's change detection.
"""

_TOLD = ("patch_id", *_OF_CHANGE)
_SEEN = ("datetime", "scene_id", "clear_percent", "ndvi", "nbr", "ndwi")
_SCORED = (
    "n_reference",
    "n_controls",
    "reference",
    "drift",
    "z",
    "p_value",
    "q_value",
    "lof",
    "cusum",
    "ewma",
    "reason",
)
_SERIES = f"""
    CREATE MACRO series(patch) AS TABLE
        SELECT {", ".join(f"{name}_ AS {name}" for name in _SEEN + _SCORED)}
        FROM (
            SELECT e.patch_id AS patch_,
                   {", ".join(f"e.{name} AS {name}_" for name in _SEEN)},
                   {", ".join(f"s.{name} AS {name}_" for name in _SCORED)}
            FROM embeddings e
            LEFT JOIN scores s ON s.patch_id = e.patch_id AND s.datetime = e.datetime
        )
        WHERE patch_ = known_patch_(patch)
        ORDER BY datetime_
"""  # noqa: S608 - names of our own schema

READS: Mapping[str, Mapping[str, Iterable[str]]] = {
    **{
        name: {"changes": _TOLD}
        for name in ("first_change", "last_change", "largest_change")
    },
    "series": {
        "embeddings": ("patch_id", *_SEEN),
        "scores": ("patch_id", "datetime", *_SCORED),
    },
}
"""Columns that functions read, by the views that they read them from."""

ON_TABLES = (
    """
    CREATE MACRO drift_between(patch, t1, t2) AS
        drift_between_(patch, t1::TIMESTAMPTZ, t2::TIMESTAMPTZ)
    """,
    _SERIES,
)
"""Those that call functions of `functions`:

* `drift_between(patch, t1, t2)`: cosine distance, 0 to 2, in the archive's space, between the
  clear observations of a patch that are nearest to two instants; see `between`.
* `series(patch)`: observations of a patch in order of time, with their scores.
* `similar_changes(change, k := 10, mode := 'delta')`: rows of `Archive.similar`.
"""

SIMILAR_CHANGES = """
    CREATE MACRO similar_changes(change, k := 10, mode := 'delta') AS TABLE
        SELECT {columns}
        FROM (SELECT unnest(similar_changes_(change, k, mode, {run})) AS found)
        ORDER BY rank
"""

WITHOUT_SPATIAL = ("CREATE MACRO within(place, geojson) AS touches_(place, geojson)",)
"""* `within(geometry, geojson)` on WKB, where `spatial` is not there."""

WITH_SPATIAL = (
    """
    CREATE MACRO within(place, geojson) AS
        ST_Intersects(place, ST_GeomFromWKB(region_(geojson)))
    """,
)
"""* `within(geometry, geojson)`: whether a row's geometry touches a GeoJSON region (text).
`region_` reads the text as `query.region` does, once where it is one for all rows."""

WITHIN_ONE = """
    CREATE TEMP MACRO within(place, geojson) AS
        ST_Intersects_Extent(place, ST_GeomFromWKB(region_(geojson)))
        AND ST_Intersects(place, ST_GeomFromWKB(region_(geojson)))
"""
"""The same of a geometry that is one for all rows. DuckDB does not test places before it
joins them to rows by what may fail, as an exact test may, but does so by boxes."""

NAMES = frozenset(
    re.findall(
        r"CREATE MACRO (\w+)",
        "".join(
            (
                *MACROS,
                *ON_CHANGES,
                *ON_TABLES,
                SIMILAR_CHANGES,
                *WITHOUT_SPATIAL,
                *WITH_SPATIAL,
            )
        ),
    )
)
"""What they are called: none bears a name of DuckDB's own."""
