"""Verdicts of analysts on changes and events: said, withdrawn, and what they are of now."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa

from terradrift import schema
from terradrift.archive.runs import Run
from terradrift.errors import ArchiveError, QueryError
from terradrift.query.search import members, targets, verdicts
from terradrift.query.search.verdicts import NO, WITHDRAWN, YES
from terradrift.query.tables import Opened
from terradrift.store.tables import Store

CHANGED = "changed"
"""What `terradrift evaluate` reads of a file of labels: whether there is a change."""
_LONGEST = 200
"""Characters of a name, and of who said so."""
_OF_CHANGES = {
    "date": "onset",
    "onset_early": "onset_early",
    "onset_late": "onset_late",
}
_OF_EVENTS = {"date": "start"}
_PLACE = ("longitude", "latitude", "bbox", "geometry")


def held_schema() -> pa.Schema:
    """Columns of `held`."""
    said = [schema.labels().field(name) for name in schema.labels().names]
    place = [schema.changes(1).field(name) for name in _PLACE]
    dates = [pa.field(name, schema.INSTANT) for name in _OF_CHANGES]
    return pa.schema(
        [
            *said,
            # change, event, or gone: not among those of the models any more.
            pa.field("target", pa.string()),
            pa.field("model", pa.string()),
            pa.field("kind", pa.string()),
            pa.field(CHANGED, pa.bool_()),
            *dates,
            *place,
        ]
    )


def label(
    store: Store,
    run: Run,
    ids: Sequence[str],
    verdict: str,
    *,
    name: str,
    who: str | None = None,
) -> int:
    """Write what `who` says of changes and events; returns how many verdicts.

    Raises:
        ArchiveError: another verdict than yes or no, an empty or too long name, or an id
            that is neither a change nor an event (near misses are named); nothing is
            written then.
    """
    if verdict not in (YES, NO):
        raise ArchiveError(f"expected the verdict yes or no, got {verdict!r}")
    wanted = _ids(ids)
    _must_be_there(store, wanted)
    name, who = _word(name, "name"), _who(who)
    return _write(store, run, wanted, verdict, name=name, who=who)


def unlabel(
    store: Store,
    run: Run,
    ids: Sequence[str],
    *,
    name: str,
    who: str | None = None,
) -> int:
    """Withdraw what `who` said of these targets under this name; returns how many.

    Targets that are gone can be withdrawn too.

    Raises:
        ArchiveError: one of them has no such verdict; nothing is written then.
    """
    wanted, name, who = _ids(ids), _word(name, "name"), _who(who)
    mine = {
        row["target_id"]
        for row in _standing(store)
        if row["name"] == name and row["who"] == who
    }
    if missing := [one for one in wanted if one not in mine]:
        by = f" of {who}" if who else ""
        raise ArchiveError(
            f"{missing[0]} has no verdict {name!r}{by} to withdraw; "
            "terradrift label ARCHIVE --list shows all"
        )
    return _write(store, run, wanted, WITHDRAWN, name=name, who=who)


def held(store: Store, name: str | None = None) -> pa.Table:
    """Verdicts that stand, the oldest first, each with what it is of now.

    Columns: those of the table `labels`; `target` (change, event, or gone), `model` (suffix
    of the tables that it is in), `kind` (the name again) and `changed` (whether the verdict is yes), as
    `terradrift evaluate` reads them; `date` (onset of a change, start of an event),
    `onset_early`, `onset_late`, and the place. What is gone has no dates and no place.

    Raises:
        QueryError: nothing is labelled with that name.
    """
    rows = _standing(store)
    if name is not None:
        verdicts.agreed(rows, name)
        rows = [row for row in rows if row["name"] == name]
    found = _targets(store, [row["target_id"] for row in rows])
    full = [
        {
            "target": "gone",
            **row,
            "kind": row["name"],
            CHANGED: row["verdict"] == YES,
            **found.get(row["target_id"], {}),
        }
        for row in rows
    ]
    return pa.Table.from_pylist(full, schema=held_schema())


def _standing(store: Store) -> list[verdicts.Row]:
    if not store.exists("labels"):
        return []
    return verdicts.standing(store.scan("labels").read_all().to_pylist())


def _targets(store: Store, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is there of the ids, with model, dates and place."""
    found: dict[str, dict[str, Any]] = {}
    for table, key, what, dates in _tables(store):
        rows = targets.rows(
            store.dataset(table), key, ids, [*dict.fromkeys(dates.values()), *_PLACE]
        )
        for row in rows:
            place = {side: row[side] for side in _PLACE}
            known = {name: row[column] for name, column in dates.items()}
            told = {"target": what, "model": table.partition("_")[2]}
            found.setdefault(row[key], told | known | place)
    return found


def _tables(store: Store) -> list[tuple[str, str, str, dict[str, str]]]:
    """Tables that hold targets, the column of their ids, and of their dates."""
    there = store.tables()
    return [
        *(
            (name, "change_id", "change", _OF_CHANGES)
            for name in there
            if name.startswith("changes_")
        ),
        *(
            (name, "event_id", "event", _OF_EVENTS)
            for name in there
            if name.startswith("events_")
        ),
    ]


def _must_be_there(store: Store, ids: Sequence[str]) -> None:
    tables = _tables(store)
    if not tables:
        raise ArchiveError(
            f"{store.root} holds no changes to label; run terradrift detect first"
        )
    there: set[str] = set()
    for table, key, _, _ in tables:
        there |= {row[key] for row in targets.rows(store.dataset(table), key, ids, [])}
    if missing := [one for one in ids if one not in there]:
        try:
            members.of_ids(Opened(store), _meant(store, missing[0]), missing, parts=())
        except QueryError as error:
            raise ArchiveError(str(error)) from error


def _meant(store: Store, change: str) -> str | None:
    """The model that an id of a change names, or the archive's."""
    suffixes = (name.partition("_")[2] for name, *_ in _tables(store))
    begun = (one for one in suffixes if schema.suffix(change).startswith(f"{one}_"))
    return next(begun, store.settings.model)


def _write(
    store: Store,
    run: Run,
    ids: Sequence[str],
    verdict: str,
    *,
    name: str,
    who: str | None,
) -> int:
    at = datetime.now(UTC)
    rows = [
        {
            "label_id": uuid4().hex,
            "target_id": one,
            "verdict": verdict,
            "name": name,
            "who": who,
            "at": at,
        }
        for one in ids
    ]
    store.append("labels", pa.Table.from_pylist(rows, schema=schema.labels()))
    run.rows = len(rows)
    run.message = f"{len(rows):,} {verdict}: {name}"
    return len(rows)


def _ids(ids: Sequence[str]) -> list[str]:
    if isinstance(ids, str):
        ids = [ids]
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise ArchiveError("expected ids of changes or events to label, got none")
    return wanted


def _word(given: str, what: str) -> str:
    said = " ".join(given.split())
    if not 1 <= len(said) <= _LONGEST:
        raise ArchiveError(
            f"expected a {what} of 1 to {_LONGEST} characters, got {len(said)}"
        )
    return said


def _who(given: str | None) -> str | None:
    return None if given is None else _word(given, "person")
