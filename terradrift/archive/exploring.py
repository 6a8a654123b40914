"""Tables of an archive on a map that one can move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift.errors import QueryError
from terradrift.query.sql import ask

if TYPE_CHECKING:
    from lonboard import Map

    from terradrift.store.tables import Store

_TEXTS = {
    "changes": """
        SELECT change_id, score, kind, persistence, onset, event_id, d_ndvi, geometry
        FROM changes ORDER BY score DESC, change_id
    """,
    "events": """
        SELECT event_id, rank, max_score, kind, label, persistence, start, area_km2,
               geometry
        FROM events ORDER BY rank
    """,
    "patches": """
        SELECT p.patch_id, max(c.score) AS score, count(c.change_id) AS changes,
               any_value(p.geometry) AS geometry
        FROM patches p LEFT JOIN changes c USING (patch_id)
        GROUP BY p.patch_id ORDER BY score DESC NULLS LAST, p.patch_id
    """,
}


def explore(
    store: Store,
    what: str,
    *,
    by: str | None,
    limit: int | None,
    basemap: bool,
) -> Map:
    """The rows of a table, strongest first; see `query.shown.explore.draw`.

    Raises:
        QueryError: another table, or lonboard is not installed.
    """
    if what not in _TEXTS:
        raise QueryError(
            f"expected one of {', '.join(_TEXTS)} to explore, got {what!r}"
        )
    return ask.sql(store, _TEXTS[what]).explore(by=by, limit=limit, basemap=basemap)
