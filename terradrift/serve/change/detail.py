"""All that is told of one change, one event or one patch."""

from typing import Any

import pyarrow.compute as pc

from terradrift.serve.change import plain, told
from terradrift.serve.change.rows import Row, Rows
from terradrift.serve.change.told import About
from terradrift.serve.faults import NotThere

_MOST = 1000
"""Changes of an event that are told; it may have a hundred times as many."""


def of_change(rows: Rows, change: Row, said: list[Row]) -> dict[str, Any]:
    """As `/api/change/{id}` but for its chips; `said` are the verdicts that stand."""
    about = _about(rows, change)
    event = None if change["event_id"] is None else rows.event(change["event_id"])
    targets = {change["change_id"], change["event_id"]}
    return {
        "change": plain.row(change),
        "unknown": told.nulls(change, about),
        "event": None if event is None else plain.row(event),
        "kind": None if about.kind is None else plain.row(about.kind),
        "words": told.change(change, about),
        "labels": [plain.row(one) for one in said if one["target_id"] in targets],
        "within_event": _within(rows, change),
    }


def of_event(rows: Rows, event: Row) -> dict[str, Any]:
    """As `/api/event/{id}`: its row, its kind, and its changes, the strongest first."""
    short = ("change_id", "patch_id", "onset", "score", "z", "longitude", "latitude")
    changes = rows.changes_of("event_id", event["event_id"], short)
    kind = rows.kind(event["kind"])
    return {
        "event": plain.row(event),
        "kind": None if kind is None else plain.row(kind),
        "total": len(changes),
        "changes": [plain.row(one) for one in changes[:_MOST]],
    }


def of_patch(rows: Rows, patch: str) -> dict[str, Any]:
    """As `/api/patch/{id}`: what is told of a patch, whether it has changes or not.

    Raises:
        NotThere: no such patch.
    """
    place = rows.places([patch]).get(patch)
    if place is None:
        raise NotThere(f"no patch {patch:.200} in this archive")
    judged = rows.judged(patch)
    table = rows.table("changes")
    short = ("change_id", "onset", "score", "number")
    changes = [] if table is None else rows.changes_of("patch_id", patch, short)
    return {
        "patch": plain.row(place),
        "judged": None if judged is None else plain.row(judged),
        "words": told.patch(
            judged, len(changes), rows.table("patch_changes") is not None
        ),
        "changes": [
            plain.row(one) for one in sorted(changes, key=lambda one: one["onset"])
        ],
    }


def _about(rows: Rows, change: Row) -> About:
    scored = rows.by_patch("scores")
    first = last = reason = None
    if scored is not None:
        own = scored.of([change["patch_id"]], ["datetime", "reason"])[
            change["patch_id"]
        ]
        if len(own):
            ends = pc.min_max(own["datetime"]).as_py()
            first, last = ends["min"], ends["max"]
            onset = own.filter(pc.equal(own["datetime"], change["onset"]))
            reason = onset["reason"][0].as_py() if len(onset) else None
    return About(
        bands=tuple(rows.store.settings.bands),
        first=first,
        last=last,
        reason=reason,
        clustered=rows.clustered,
        kind=rows.kind(change["kind"]),
        moved_too=rows.moved_too(change),
    )


def _within(rows: Rows, change: Row) -> dict[str, Any]:
    """How many changes the event has, and those beside this one in order of score."""
    ids = [
        row["change_id"] for row in rows.changes_of("event_id", change["event_id"], ())
    ]
    if not ids:
        return {"n": 1, "previous": None, "next": None}
    at = ids.index(change["change_id"])
    return {
        "n": len(ids),
        "previous": ids[at - 1] if at else None,
        "next": ids[at + 1] if at + 1 < len(ids) else None,
    }
