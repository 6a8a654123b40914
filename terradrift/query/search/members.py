"""Reads the changes that an example is made of: by id, by event, or by row."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query import lance_scan
from terradrift.query import tables as _tables
from terradrift.query.index import copied
from terradrift.query.search import misses
from terradrift.query.search.aim import Members, Own
from terradrift.query.search.deadline import NEVER, Deadline

if TYPE_CHECKING:
    import lance

    from terradrift.query.search.modes import Mode
    from terradrift.query.tables import Tables
    from terradrift.space import Space

PARTS = ("before", "after", "delta")
_WHOSE = ("change_id", "event_id", "patch_id", "date_after", "longitude", "latitude")

_IDS_PER_READ = 1000


def of_ids(
    tables: "Tables",
    model: str | None,
    ids: Sequence[str],
    *,
    parts: Sequence[str] = PARTS,
    name: str | None = None,
    events: bool = False,
    deadline: Deadline = NEVER,
) -> Members:
    """The changes with these ids, in their order; an event's id stands for its changes.

    Reads the vectors `parts` alone; a change that is named twice comes once. With `events`
    all ids are those of events.

    Raises:
        QueryError: an id is neither a change of the model nor an event; near misses are
            named. Or the time is over.
    """
    table = _tables.of_model(tables, "changes", model)
    by_change = _read(table, "change_id", [] if events else ids, parts, deadline)
    found = set(by_change["change_id"].to_pylist())
    others = [one for one in dict.fromkeys(ids) if one not in found]
    rows = by_change
    if others:
        by_event = _read(table, "event_id", others, parts, deadline)
        held = set(by_event["event_id"].to_pylist())
        if missing := [one for one in others if one not in held]:
            raise QueryError(_missing(tables, model, table, missing, events=events))
        rows = pa.concat_tables([by_change, by_event])
    place = {one: at for at, one in enumerate(dict.fromkeys(ids))}
    at = [
        place.get(change, place.get(event, 0))
        for change, event in zip(
            rows["change_id"].to_pylist(), rows["event_id"].to_pylist(), strict=True
        )
    ]
    order = pc.sort_indices(
        pa.table({"at": at, "id": rows["change_id"]}),
        [("at", "ascending"), ("id", "ascending")],
    )
    rows = _once(rows.take(order))
    return _members(name or f"{len(ids)} examples", rows, parts)


def sum_of_rows(  # noqa: PLR0917 - which rows, how compared, and until when
    table: "lance.LanceDataset",
    row_ids: NDArray[np.uint64],
    mode: "Mode",
    space: "Space | None",
    name: str,
    deadline: Deadline = NEVER,
) -> tuple[NDArray[np.float64], int]:
    """Sum (columns, r) of the directions of the rows, and how many have one.

    Vectors come from the index's copy of them, where there is one, else from the table,
    block by block.

    Raises:
        QueryError: the time is over.
    """
    total, count = np.zeros((1, 1)), 0
    copies = copied.opened(table, mode.parts)
    if copies is not None:
        at, row_ids = copies.split(row_ids)
        for parts in copies.blocks(at):
            deadline.check()
            some, usable = _summed(Members(name, parts), mode, space)
            total, count = total + some, count + usable
    if not len(row_ids):
        return total, count
    shown = lance_scan.FloatDataset(table, row_ids=True)
    columns = shown.projection([*mode.parts, lance_scan.ROW_ID])
    for batch in deadline.batches(lance_scan.scan(table, columns, row_ids)):
        rows = pa.Table.from_batches(
            [batch.filter(pa.array(lance_scan.among(batch, row_ids)))]
        )
        held = Members(name, _vectors(rows, mode.parts))
        some, usable = _summed(held, mode, space)
        total, count = total + some, count + usable
    return total, count


def _summed(
    members: Members, mode: "Mode", space: "Space | None"
) -> tuple[NDArray[np.float64], int]:
    """Sum (columns, r) of the members' directions, and how many have one."""
    vectors = members.inside(mode, space)
    with np.errstate(invalid="ignore"):
        lengths = np.sqrt(np.einsum("ncr,ncr->n", vectors, vectors, dtype=np.float64))
    usable = np.isfinite(lengths) & (lengths > 0)
    weights = np.divide(1, lengths, out=np.zeros_like(lengths), where=usable)
    vectors[~usable] = 0
    total: NDArray[np.float64] = np.einsum(
        "n,ncr->cr", weights, vectors, dtype=np.float64
    )
    return total, int(usable.sum())


def whose(table: "lance.LanceDataset", row_ids: NDArray[np.uint64]) -> Own:
    """What the rows of changes with these ids belong to."""
    return _own(lance_scan.take(table, row_ids, list(_WHOSE)))


def _read(
    table: "lance.LanceDataset",
    key: str,
    ids: Sequence[str],
    parts: Sequence[str],
    deadline: Deadline,
) -> pa.Table:
    names = [*_WHOSE, *parts]
    columns = lance_scan.FloatDataset(table).projection(names)
    held = lance_scan.float32(table.schema)
    wanted = pa.schema([held.field(name) for name in names])
    found = [
        pa.Table.from_batches([batch]).cast(wanted)
        for condition in _conditions(key, ids)
        for batch in deadline.batches(
            table.scanner(columns=columns, filter=condition).to_batches()
        )
    ]
    return pa.concat_tables([wanted.empty_table(), *found])


def _conditions(key: str, ids: Sequence[str]) -> Iterator[str]:
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), _IDS_PER_READ):
        part = unique[start : start + _IDS_PER_READ]
        if len(part) == 1:
            yield f"{key} = {_tables.literal(part[0])}"
        else:
            yield f"{key} IN ({', '.join(map(_tables.literal, part))})"


def _once(rows: pa.Table) -> pa.Table:
    """The first row of each change."""
    _, first = np.unique(np.array(rows["change_id"].to_pylist()), return_index=True)
    return rows.take(pa.array(np.sort(first)))


def _members(name: str, rows: pa.Table, parts: Sequence[str]) -> Members:
    ids = tuple(rows["change_id"].to_pylist())
    return Members(name, _vectors(rows, parts), _own(rows), ids)


def _vectors(rows: pa.Table, parts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """(n, d) of each part that any row has; NaN where a row has none."""
    found = {}
    for part in parts:
        column = rows[part].combine_chunks()
        if len(column) and column.null_count == len(column):
            continue
        size = column.type.list_size
        # fill_null has no kernel for lists: nulls are set once the values are a matrix
        values = column.values.slice(column.offset * size, len(column) * size)
        matrix = values.to_numpy(zero_copy_only=False).reshape(-1, size).copy()
        matrix[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
        matrix[~np.isfinite(matrix).all(axis=1)] = np.nan
        found[part] = matrix
    return found


def _own(rows: pa.Table) -> Own:
    columns = {name: rows[name].to_pylist() for name in _WHOSE}
    places = np.column_stack(
        [np.array(columns[side], np.float64) for side in ("longitude", "latitude")]
    )
    return Own(
        change_ids=frozenset(columns["change_id"]),
        event_ids=frozenset(one for one in columns["event_id"] if one is not None),
        patch_ids=frozenset(columns["patch_id"]),
        observations=frozenset(
            zip(columns["patch_id"], columns["date_after"], strict=True)
        ),
        places=np.unique(places[np.isfinite(places).all(axis=1)], axis=0),
    )


def _missing(
    tables: "Tables",
    model: str | None,
    table: "lance.LanceDataset",
    ids: Sequence[str],
    *,
    events: bool,
) -> str:
    """What to say of ids that are neither changes nor events of the model."""
    first = ids[0]
    condition = f"change_id = {_tables.literal(first)}"
    for name in tables:
        if name.startswith("changes_") and tables[name].count_rows(condition):
            if tables[name].uri == table.uri:
                return f"{first} is a change, not an event: pass change={first!r}"
            return (
                f"change {first} is in {name}, not of model {model}; vectors of two "
                f"models cannot be compared: pass model={name.removeprefix('changes_')!r}"
            )
    events = events or first.startswith("event-")
    key = "event_id" if events else "change_id"
    what = "event" if events else "change"
    more = f" (and {len(ids) - 1:,} more)" if len(ids) > 1 else ""
    return (
        f"no {what} {first!r}{more} among the changes of {model}; "
        f"{misses.hint(table, key, first)}"
    )
