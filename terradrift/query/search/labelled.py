"""What was liked and unliked, by ids or by stored labels, as one thing to look for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query import tables as _tables
from terradrift.query.search import (
    aim,
    example,
    members,
    refine,
    targets,
    unit_rows,
    verdicts,
)
from terradrift.query.search.aim import Aim, Own
from terradrift.query.search.candidates import BASE
from terradrift.query.search.deadline import NEVER, Deadline
from terradrift.query.search.probe import BACKGROUND
from terradrift.query.search.refine import Refine

if TYPE_CHECKING:
    import lance

    from terradrift.query.search.modes import Mode
    from terradrift.query.tables import Tables
    from terradrift.space import Space

_SEED = 0
"""Of the rows that stand for all rows: the same for the same table."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Judged:
    """What was liked and what was not, as it was asked for.

    Ids are those of changes, of events (they count as their changes) and `PATCH@DATE`.
    """

    like: Sequence[str] = ()
    unlike: Sequence[str] = ()
    labels: str | None = None
    """Name of stored labels: yes is liked, no is unliked."""
    refine: Refine = "auto"

    def __post_init__(self) -> None:
        refine.parse(self.refine)
        if both := sorted(set(self.like) & set(self.unlike)):
            raise QueryError(f"{both[0]} is both liked and unliked; choose one")

    def __bool__(self) -> bool:
        return bool(self.like or self.unlike or self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Refined(Aim):
    """What to look for as it was learned, and what was said to be unlike it."""

    unliked: Own = field(default_factory=Own)
    """Left out of every answer, whatever is excluded."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Directions of what was judged, one for all that was judged alike of one event.

    Changes of one event are not independent, so an event has one voice, however large.
    """

    liked: NDArray[np.float64]
    """(n, columns, r), of length one over all columns."""
    unliked: NDArray[np.float64]
    """(m, columns, r)"""
    background: NDArray[np.float64]
    """(b, columns, r), rows of the table drawn at random."""
    own: Own
    """Of the liked."""
    own_unliked: Own
    note: str | None = None

    def flat(self) -> tuple[NDArray[np.float64], ...]:
        """Liked, unliked and background as (n, columns * r)."""
        parts = (self.liked, self.unliked, self.background)
        width = int(np.prod(self.liked.shape[1:]))
        return tuple(part.reshape(len(part), width) for part in parts)


def find(
    tables: "Tables",
    model: str | None,
    judged: Judged,
    mode: "Mode",
    space: "Space | None",
    *,
    target: str = "changes",
    deadline: Deadline = NEVER,
) -> Refined:
    """What to look for, learned from what was judged (see `refine.direction`).

    Raises:
        QueryError: an id that is not there (near misses are named), no such labels, nothing
            liked, or no direction is left.
    """
    given = read(tables, model, judged, mode, space, target=target, deadline=deadline)
    liked, unliked, background = given.flat()
    direction = refine.direction(liked, unliked, background, judged.refine)
    how = refine.resolve(judged.refine, len(liked), len(unliked))
    name = f"{len(liked):,} liked and {len(unliked):,} unliked"
    learned = f"learned from {name} ({how}; what is of one event counts once)"
    # Its event and its patch may still hold what is looked for.
    unliked_own = Own(
        change_ids=given.own_unliked.change_ids,
        observations=given.own_unliked.observations,
        patch_ids=given.own_unliked.patch_ids if target != "changes" else frozenset(),
    )
    return Refined(
        name,
        direction.reshape(given.liked.shape[1:]),
        given.own | unliked_own,
        "; ".join(filter(None, (learned, given.note))),
        unliked=unliked_own,
    )


def read(
    tables: "Tables",
    model: str | None,
    judged: Judged,
    mode: "Mode",
    space: "Space | None",
    *,
    target: str = "changes",
    deadline: Deadline = NEVER,
) -> Examples:
    """The vectors of what was judged, and rows drawn at random from the table of `target`.

    Raises:
        QueryError: an id that is not there (near misses are named), no such labels, or
            nothing liked. Or the time is over.
    """
    like, unlike, notes = _with_labels(tables, model, judged)
    sides = [_sorted_out(tables, model, ids) for ids in (like, unlike)]
    parts, owns = [], []
    for side, other in (sides, sides[::-1]):
        vectors, own = _directions(
            tables, model, side.without(other), mode, space, deadline=deadline
        )
        parts.append(vectors)
        owns.append(own)
    if not like:
        raise QueryError("expected something liked to search with, got none; like one")
    if not len(parts[0]):
        raise QueryError(
            f"what is liked has no direction to compare: its {' and '.join(mode.parts)} is "
            "zero; like another, or choose another mode"
        )
    columns = parts[0].shape[1:]
    return Examples(
        parts[0],
        parts[1].reshape(-1, *columns),
        _background(
            _tables.of_model(tables, BASE[target], model),
            mode,
            space,
            owns[0].change_ids | owns[1].change_ids,
        ).reshape(-1, *columns),
        owns[0],
        owns[1],
        "; ".join(notes) or None,
    )


def _with_labels(
    tables: "Tables", model: str | None, judged: Judged
) -> tuple[list[str], list[str], list[str]]:
    """Ids liked, ids unliked, and what to know of them."""
    like, unlike = list(dict.fromkeys(judged.like)), list(dict.fromkeys(judged.unlike))
    notes: list[str] = []
    if judged.labels is None:
        return like, unlike, notes
    rows = tables["labels"].to_table().to_pylist() if "labels" in tables else []
    said = verdicts.agreed(rows, judged.labels)
    every = [*said.yes, *said.no]
    there = targets.find(tables, model, every).ids
    if said.disputed:
        notes.append(
            f"{len(said.disputed):,} labels {judged.labels} are left out: people disagree"
        )
    if gone := len(every) - len(there):
        notes.append(
            f"{gone:,} of {len(every):,} labels {judged.labels} are left out: their "
            f"changes are not among those of {model} now"
        )
    # What is said in the question is newer than what is stored.
    like += [one for one in said.yes if one in there and one not in {*like, *unlike}]
    unlike += [one for one in said.no if one in there and one not in {*like, *unlike}]
    if not like:
        told = f"; {'; '.join(notes)}" if notes else ""
        raise QueryError(
            f"nothing is liked: labels {judged.labels} hold no yes that is there{told}"
        )
    return like, unlike, notes


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """What was liked, or what was unliked."""

    ids: Mapping[str, str]
    """Of changes and events that are there, and which of them they are."""
    changes: Mapping[str, str]
    """Each change that is meant, to the event whose voice it is."""
    observations: tuple[str, ...]

    def without(self, other: "_Side") -> "_Side":
        """This side, its changes less those said of the other: a change beats its event."""
        changes = {
            change: voice
            for change, voice in self.changes.items()
            if change in self.ids or change not in other.ids
        }
        return replace(self, changes=changes)


def _sorted_out(tables: "Tables", model: str | None, ids: Iterable[str]) -> _Side:
    changes = [one for one in ids if "@" not in one]
    found = targets.find(tables, model, changes)
    if missing := [one for one in changes if one not in found.ids]:
        members.of_ids(tables, model, missing, parts=())  # says what is not there
    return _Side(found.ids, found.changes, tuple(one for one in ids if "@" in one))


def _directions(
    tables: "Tables",
    model: str | None,
    side: _Side,
    mode: "Mode",
    space: "Space | None",
    *,
    deadline: Deadline,
) -> tuple[NDArray[np.float64], Own]:
    """(n, columns, r) one direction for each event and observation, and what they are of."""
    found: list[NDArray[np.float64]] = []
    own = Own()
    if side.changes:
        held = members.of_ids(
            tables, model, list(side.changes), parts=mode.parts, deadline=deadline
        )
        voices = np.array([side.changes[one] for one in held.ids])
        inside = held.inside(mode, space)
        for voice in dict.fromkeys(voices.tolist()):
            unit = aim.directions(inside[voices == voice])
            found.append(aim.directions(unit.sum(axis=0)[None]))
        own = own | held.own
    for one in side.observations:
        deadline.check()
        patch, _, day = one.rpartition("@")
        asked = example.Asked(patch=patch, date=day)
        seen = example.find(tables, model, asked, mode, space, dimensions=0)
        found.append(aim.directions(seen.vectors[None]))
        own = own | seen.own
    return (np.concatenate(found) if found else np.empty((0, 0, 0))), own


def _background(
    table: "lance.LanceDataset",
    mode: "Mode",
    space: "Space | None",
    judged: frozenset[str],
) -> NDArray[np.float64]:
    """(b, columns, r) directions of `BACKGROUND` rows, or of all where there are fewer.

    Changes that were judged are not among them.
    """
    count = table.count_rows()
    random = np.random.default_rng(_SEED)
    at = np.sort(random.choice(count, min(BACKGROUND, count), replace=False))
    keys = [name for name in ("change_id",) if name in table.schema.names]
    rows = table.take(at.tolist(), columns=[*keys, *mode.columns])
    if keys and judged:
        own = pc.is_in(rows["change_id"], value_set=pa.array(sorted(judged)))
        rows = rows.filter(pc.invert(own))
    return aim.directions(unit_rows.stacked(rows, mode.columns, space))
