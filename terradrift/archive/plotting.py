"""Figures of an archive by name: the data gathered, and the drawing left to `report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from terradrift.archive.pictured import Pictures
from terradrift.errors import QueryError
from terradrift.query.sql import ask
from terradrift.report import history
from terradrift.report.history import History
from terradrift.report.notebook.displayed import displayed

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from matplotlib.figure import Figure

    from terradrift.store.tables import Store

_SERIES = """
    SELECT datetime, z, reason FROM scores WHERE patch_id = $patch ORDER BY datetime
"""
_STRONGEST = """
    SELECT change_id FROM changes WHERE event_id = $event ORDER BY score DESC, change_id
    LIMIT 1
"""
_OF_PATCH = """
    SELECT date_before, date_after FROM changes WHERE patch_id = $patch
    ORDER BY score DESC, change_id LIMIT 1
"""
_RANKED = """
    SELECT rank, longitude, latitude FROM events ORDER BY rank, event_id LIMIT 12
"""
_IN_TIME = (
    "SELECT start, persistence, label, area_km2 FROM events ORDER BY rank, event_id"
)


def plot(store: Store, model: str, what: str, name: str | None) -> Figure:
    """The figure `what`, of `name` where it is of one thing.

    Raises:
        QueryError: no such figure, no such patch, change or event, or none was named.
        ArchiveError: the table that it is of was not made.
    """
    if what in _OF_ONE:
        if name is None:
            raise QueryError(
                f"expected the id of a {_OF_ONE[what][0]} to plot {what}, got none; pass it: "
                f'plot("{what}", "...")'
            )
        return displayed(_OF_ONE[what][1](store, model, name))
    if what not in _OF_ALL:
        raise QueryError(
            f"expected one of {', '.join([*_OF_ONE, *_OF_ALL])} to plot, got {what!r}"
        )
    if name is not None:
        raise QueryError(f"{what} is of the whole archive, got {name!r}; leave it out")
    return displayed(_OF_ALL[what](store, model))


def _series(store: Store, _model: str, patch: str) -> Figure:
    drawn = history.figure(_history(store, patch, *_marked(store, patch)))
    drawn.axes[0].set_title(patch, fontsize=9, loc="left", pad=14)
    drawn.tight_layout()
    return drawn


def _marked(store: Store, patch: str) -> tuple[Any, Any]:
    """The dates around the patch's strongest change; None, None where it has none."""
    rows = _rows(store, _OF_PATCH, patch=patch)
    return (rows[0]["date_before"], rows[0]["date_after"]) if rows else (None, None)


def _history(store: Store, patch: str, before: Any, after: Any) -> History:  # noqa: ANN401 - instants or None
    rows = _rows(store, _SERIES, patch=patch)
    if not rows:
        raise QueryError(
            f"expected a patch with scores, got {patch!r}; the view scores lists "
            "them, and terradrift detect makes it"
        )
    return History(
        tuple(row["datetime"] for row in rows),
        tuple(row["z"] for row in rows),
        tuple(row["reason"] for row in rows),
        before=before,
        after=after,
    )


def _change(store: Store, model: str, name: str) -> Figure:
    """Of an event its strongest change."""
    from terradrift.report import words
    from terradrift.report.notebook import change

    strongest = _rows(store, _STRONGEST, event=name)
    if strongest:
        name = strongest[0]["change_id"]
    pictures = Pictures(store, model)
    row = pictures.change(name)
    chips, difference = pictures.of(row)
    seen = _history(store, row["patch_id"], row["date_before"], row["date_after"])
    told = [
        f"score {words.number(row['score'], 1)}",
        words.course(row["persistence"], row["ended"]),
        words.place(row["longitude"], row["latitude"]),
    ]
    return change.figure(f"{name}\n{', '.join(told)}", chips, difference, seen)


def _kinds(store: Store, model: str) -> Figure:
    from terradrift.archive.kinds import rows
    from terradrift.report import kinds

    return kinds.draw(rows.held(store, model, tree=True).to_pylist())


def _taxonomy(name: Literal["regimes", "tree"]) -> Callable[[Store, str], Figure]:
    def draw(store: Store, model: str) -> Figure:
        from terradrift.archive.taxonomy import pictures

        return pictures.figure(store, model, name)

    return draw


def _map(store: Store, _model: str) -> Figure:
    from terradrift.archive import reporting
    from terradrift.report.place import mapped

    drawn = mapped(*reporting.mapped(store), _read(store, _RANKED))
    if drawn is None:
        raise QueryError("expected patches to map, got none; run terradrift ingest")
    return drawn


def _timeline(store: Store, _model: str) -> Figure:
    from terradrift.report.timeline import through_time

    scenes = store.scan("scenes", ["datetime"]).read_all()
    drawn = through_time(_read(store, _IN_TIME), scenes)
    if drawn is None:
        raise QueryError("expected events in time, got none; run terradrift detect")
    return drawn


def _rows(store: Store, text: str, **values: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _read(store, text, **values).to_pylist()
    return found


def _read(store: Store, text: str, **values: str) -> pa.Table:
    return ask.sql(store, text, None, **values).to_arrow_table()


_OF_ONE: dict[str, tuple[str, Callable[[Store, str, str], Figure]]] = {
    "series": ("patch", _series),
    "change": ("change or event", _change),
}
_OF_ALL: dict[str, Callable[[Store, str], Figure]] = {
    "kinds": _kinds,
    "dendrogram": _taxonomy("tree"),
    "taxonomy": _taxonomy("regimes"),
    "map": _map,
    "timeline": _timeline,
}
