"""HTML of a relation and of a result of a search."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from terradrift.query.shown import html, places

if TYPE_CHECKING:
    from terradrift.query.result import Result

ROWS = 20
_LED = (
    "rank",
    "distance",
    "score",
    "kind",
    "onset",
    "datetime",
    "persistence",
    "clear_percent",
    "labels",
    "change_id",
    "patch_id",
    "event_id",
    "geometry",
)
"""Columns of a result that are shown, where it has them."""


def relation(
    rows: pa.Table, types: dict[str, str], note: str | None, *, more: bool
) -> str:
    """The first rows of a relation, its columns with their types."""
    many = len(types)
    held = f"{rows.num_rows:,} row{'s' * (rows.num_rows != 1)}"
    title = f"Relation: first {held}" if more else f"Relation: {held}"
    title += f", {many} column{'s' * (many != 1)}"
    left = [name for name in types if name not in _names(rows)]
    hidden = f"not shown: {', '.join(left)}" if left else None
    shown = html.table(rows, types) if rows.num_columns else ""
    return html.frame(title, shown, html.note(note), html.note(hidden))


def _names(rows: pa.Table) -> list[str]:
    return [f.name for f in rows.schema if not pa.types.is_fixed_size_list(f.type)]


def result(found: "Result", chips: Sequence[str]) -> str:
    """The first matches with a map of all; `chips` are pictures of the first ones as HTML."""
    rows = found.table
    shown = rows.slice(0, max(len(chips), ROWS // 2))
    shown = shown.select([name for name in _LED if name in rows.column_names])
    if not shown.num_columns:
        shown = rows.slice(0, ROWS // 2)
    before = [*chips, *[""] * (shown.num_rows - len(chips))] if chips else []
    title = f"{len(found):,} match{'es' * (len(found) != 1)}"
    told = [
        ("compared", f"{found.mode}, in {found.space}"),
        ("how", found.plan),
        ("recall", "" if found.recall is None else str(found.recall)),
    ]
    return html.frame(
        title,
        where(rows),
        html.facts(told),
        html.table(shown, first=before) if shown.num_rows else "",
        html.note(found.note),
    )


def where(rows: pa.Table) -> str:
    """A map of rows that have `longitude` and `latitude`; empty where they have none."""
    if not {"longitude", "latitude"} <= set(rows.column_names) or not rows.num_rows:
        return ""
    lon, lat = (
        np.asarray(rows[name].to_numpy(zero_copy_only=False), np.float64)
        for name in ("longitude", "latitude")
    )
    return places.points(lon, lat, f"map of {len(lon):,} matches")
