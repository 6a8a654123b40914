"""What the functions that SQL has beside DuckDB's own do."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """One function."""

    call: str
    """With the names of its arguments."""
    gives: str
    meaning: str


FUNCTIONS: Mapping[str, Function] = {
    "series": Function(
        "series(patch)",
        "rows",
        "Observations of a patch in order of time, joined with their scores: datetime, "
        "scene_id, clear_percent, ndvi, nbr, ndwi, n_reference, n_controls, reference, drift, "
        "z, p_value, q_value, lof, cusum, ewma, reason. Of several patches: `FROM patches, "
        "series(patch_id)`.",
    ),
    "similar_changes": Function(
        "similar_changes(change, k := 10, mode := 'delta')",
        "rows",
        "The k changes most like one, nearest first: rank, distance (cosine, 0 to 2) and the "
        "columns of `changes` but vectors; the rows of `Archive.similar(change=..., k=..., "
        "mode=...)`. Modes: delta (same step), before-after (same from and to), after (now "
        "alike), reverse (the opposite step), after-before (what undoes it), before. The example's own event and patch are "
        "left out. Of several changes: `FROM changes c, similar_changes(c.change_id, 5)`.",
    ),
    "drift_between": Function(
        "drift_between(patch, t1, t2)",
        "DOUBLE",
        "Cosine distance (0 to 2), in the space that the archive compares vectors in, between "
        "the clear observations (clear_percent at least 70) of the patch that are nearest to "
        "two instants, before or after; of two as near the earlier. Null where there is none, "
        "and where one observation is nearest to both. A day is its first instant, UTC.",
    ),
    "first_change": Function(
        "first_change(patch)",
        "STRUCT",
        "The change of the patch with the first onset: change_id, number, onset, ended, "
        "date_before, date_after, drift, z, p_value, score, persistence, d_ndvi, d_nbr, "
        "d_ndwi, kind, event_id. Null where the patch has none.",
    ),
    "last_change": Function(
        "last_change(patch)", "STRUCT", "The same with the last onset."
    ),
    "largest_change": Function(
        "largest_change(patch)",
        "STRUCT",
        "The same with the highest score; of equal ones the later. First, last and largest "
        "are the words of Esri's change detection.",
    ),
    "within": Function(
        "within(geometry, geojson)",
        "BOOLEAN",
        "Whether a row's geometry touches a GeoJSON geometry, Feature or FeatureCollection "
        "(text, degrees), read as `within=` of `Archive.similar`: empty ones, and ones that "
        "cross themselves, are refused. Works on GEOMETRY and, without `spatial`, on WKB.",
    ),
    "in_bbox": Function(
        "in_bbox(bbox, west, south, east, north)",
        "BOOLEAN",
        "Whether a row's box touches one in degrees; west above east crosses the "
        "antimeridian. Read from statistics, so quicker than `within`.",
    ),
    "cosine_distance": Function(
        "cosine_distance(a, b)",
        "FLOAT",
        "0 (same direction) to 2 (opposite) of two vectors as they are stored, whatever the "
        "archive's space.",
    ),
    "month_of": Function(
        "month_of(instant)", "DATE", "The first day of its month, UTC."
    ),
    "year_month": Function(
        "year_month(instant)", "VARCHAR", "Its month, UTC, such as 2018-05."
    ),
}
"""By name, those that ask most first."""
