"""Rows of changes, events, patches and kinds by id, as plain values; safe in many threads."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from terradrift import schema
from terradrift.archive.kinds.names import names as kind_names
from terradrift.archive.rows_of_patch import PatchRows
from terradrift.archive.thumbnails_shown import Pictured
from terradrift.query.lance_scan import is_vector
from terradrift.query.search import targets
from terradrift.serve.change.ids import Ids
from terradrift.serve.faults import NotThere
from terradrift.serve.kept import Kept

if TYPE_CHECKING:
    import lance

    from terradrift.serve.held import Generation

Row = dict[str, Any]

_TILES = 256
_IDS = Kept(2)
"""Of tables as they are now and as they were before: they are large."""
_PATCH = re.compile(r"\d{4,6}_\d{1,7}m_-?\d{1,9}_-?\d{1,9}", re.ASCII)
_LONGEST = 48

_AGAIN = (
    "if it was there before, detect was run again since: load the page anew to see what "
    "is there now"
)


class Rows:
    """The tables of one generation, as what is shown of one change needs them."""

    def __init__(self, generation: "Generation") -> None:
        self.generation = generation
        self.store = generation.archive.store
        self.grid = self.store.settings.grid
        self.tiles = Kept(_TILES)
        """What is normal, by tile."""

    @classmethod
    def of(cls, generation: "Generation") -> "Rows":
        """Those of the generation; made once."""
        return generation.once("rows", lambda: cls(generation))

    def change(self, change_id: str) -> Row:
        """All columns of a change but its vectors.

        Raises:
            NotThere: there is none of that id now.
        """
        table, ids = self._changes
        at = ids.change(change_id)
        if at is None:
            raise NotThere(f"no change {change_id:.200} in this archive; {_AGAIN}")
        (row,) = table.take([at], columns=_plain(table)).to_pylist()
        return dict(row)

    def event(self, event_id: str) -> Row:
        """All columns of an event.

        Raises:
            NotThere: there is none of that id now.
        """
        table = self.table("events")
        if table is not None:
            for row in targets.rows(table, "event_id", [event_id], _plain(table)):
                return dict(row)
        raise NotThere(f"no event {event_id:.200} in this archive; {_AGAIN}")

    def changes(self, ids: Sequence[str], columns: Sequence[str]) -> dict[str, Row]:
        """`columns` of the changes with these ids, each once; others are left out."""
        table, where = self._changes
        at = where.changes(list(dict.fromkeys(ids)))
        at = at[at >= 0]
        names = list(dict.fromkeys(["change_id", *columns]))
        rows = table.take(at, columns=names).to_pylist() if len(at) else []
        return {row["change_id"]: dict(row) for row in rows}

    def there(self, ids: Sequence[str]) -> set[str]:
        """Which of the ids are changes or events."""
        found = set(self.changes(ids, ()))
        events = self.table("events")
        others = [one for one in ids if one not in found]
        if events is not None and others:
            rows = targets.rows(events, "event_id", others, [])
            found |= {row["event_id"] for row in rows}
        return found

    def moved_too(self, change: Row) -> list[bool]:
        """Of each of the change's named analogues: whether it is part of the same event."""
        named = list(change["controls"] or [])
        if change["event_id"] is None:
            return [False] * len(named)
        _, where = self._changes
        patches = where.patches_of(change["event_id"])
        return [one in patches for one in named]

    def changes_of(
        self, key: str, value: str | None, columns: Sequence[str]
    ) -> list[Row]:
        """The changes of an event (`event_id`) or a patch (`patch_id`), the strongest first.

        Each has the `columns` asked for, and its id and score.
        """
        if value is None:
            return []
        table, ids = self._changes
        at = ids.of(key, value)
        names = list(dict.fromkeys([*columns, "change_id", "score"]))
        rows = table.take(at, columns=names).to_pylist() if len(at) else []
        return sorted(rows, key=lambda row: (-(row["score"] or 0.0), row["change_id"]))

    def places(self, patches: Sequence[str]) -> dict[str, Row]:
        """Longitude, latitude, box and square of each patch that is held."""
        wanted = [name for name in schema.patches().names if name != "tile"]
        found = self.by_patch("patches")
        if found is None:
            return {}
        rows = found.of(patches, wanted)
        return {name: one.to_pylist()[0] for name, one in rows.items() if len(one)}

    def judged(self, patch: str) -> Row | None:
        """The row of `patch_changes` of a patch; None where it has none."""
        found = self.by_patch("patch_changes")
        if found is None:
            return None
        rows = found.of([patch], schema.patch_changes().names)[patch].to_pylist()
        return dict(rows[0]) if rows else None

    def patch(self, given: str) -> str:
        """The id of a patch that a visitor asks for.

        Raises:
            NotThere: it is not of the form that ids have; whether it is held is not looked at.
        """
        if len(given) > _LONGEST or _PATCH.fullmatch(given) is None:
            raise NotThere(
                f"no patch {given:.200}; ids look like 32631_40m_12534_140742"
            )
        return given

    def by_patch(self, base: str) -> PatchRows | None:
        """A table's rows patch by patch; None where the table is not there."""
        table = self.table(base)
        if table is None:
            return None
        return self.generation.once(
            ("rows by patch", base), lambda: PatchRows(table, self.grid)
        )

    @cached_property
    def kinds(self) -> Mapping[int, Row]:
        """Rows of `kinds` by number, named as they are called; empty where there are none."""
        table = self.table("kinds")
        rows = [] if table is None else table.to_table().to_pylist()
        return {row["kind"]: dict(row) for row in rows}

    def kind(self, number: int | None) -> Row | None:
        """A kind, under the name that it has at this moment."""
        if number is None or number not in self.kinds:
            return None
        row = self.kinds[number]
        told = ("kind", "label", "size", "n_events", "rarity", "description")
        given = kind_names(self.store, self.generation.model).get(number)
        return {**{name: row[name] for name in told}, "name": given or row["name"]}

    @property
    def clustered(self) -> bool:
        """Whether kinds were looked for."""
        return self.table("kinds") is not None

    @cached_property
    def pictured(self) -> Pictured:
        """Chips of the changes."""
        seen = self.by_patch("embeddings")
        return Pictured(self.store, self.generation.model, seen=seen)

    def ready(self) -> None:
        """Read what the first question of a change would wait for."""
        for base in ("embeddings", "scores", "patches", "patch_changes"):
            found = self.by_patch(base)
            if found is not None:
                found.ready()
        if self.table("changes") is not None:
            _ = self._changes
        if self.table("scenes") is not None and self.table("embeddings") is not None:
            _ = self.pictured.windows

    def table(self, base: str) -> "lance.LanceDataset | None":
        """The model's table `base`, or that of all models; None where it is not there."""
        for name in (base, self.generation.table(base)):
            if self.store.exists(name):
                return self.store.opened(name)
        return None

    @property
    def _changes(self) -> "tuple[lance.LanceDataset, Ids]":
        table = self.table("changes")
        if table is None:
            raise NotThere("no changes yet; run terradrift detect first")
        stamp = self.generation.stamps.get(self.generation.table("changes"))
        # Generations whose changes are the same share them.
        key = table.uri, table.version, stamp
        return table, _IDS.get(key, lambda: Ids(table))


def _plain(table: "lance.LanceDataset") -> list[str]:
    return [one.name for one in table.schema if not is_vector(one.type)]
