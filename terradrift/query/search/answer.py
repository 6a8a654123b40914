"""The rows of an answer: what is left of the nearest, and their columns."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query import lance_scan, rows_of
from terradrift.query import tables as _tables
from terradrift.query.search import candidates, plan
from terradrift.query.search.deadline import NEVER, Deadline
from terradrift.query.search.nearest import Found

if TYPE_CHECKING:
    import lance

    from terradrift.query.search.aim import Aim
    from terradrift.query.search.diverse import Diverse
    from terradrift.query.search.exclude import Leave
    from terradrift.query.search.modes import Target
    from terradrift.query.tables import Tables

_SPARE = 32
"""Rows fetched beside those asked for, where some may be left out."""

PLACE = ("longitude", "latitude", "bbox", "geometry")
"""Columns that observations have of their patch."""
_TOLD = ("rank", "distance")
"""Columns that every answer has."""


def far(
    tables: "Tables",
    model: str | None,
    target: "Target",
    allowed: NDArray[np.uint64] | None,
    aim: "Aim",
    *,
    metres: float,
    deadline: Deadline = NEVER,
) -> NDArray[np.uint64]:
    """Sorted ids of the rows (None: of all) that lie farther than that from the example.

    Raises:
        QueryError: the example is of no place.
    """
    if not len(aim.own.places):
        raise QueryError(
            f"{aim.name} is of no place; exclude_radius needs an example that is"
        )
    near = candidates.near(
        tables, model, target, aim.own.places, metres, deadline=deadline
    )
    if allowed is None:
        table = _tables.of_model(tables, candidates.BASE[target], model)
        allowed = candidates.all_ids(table)
    kept = np.ones(len(allowed), bool)
    at = np.searchsorted(allowed, near)
    at, near = at[at < len(allowed)], near[at < len(allowed)]
    kept[at[allowed[at] == near]] = False
    others: NDArray[np.uint64] = allowed[kept]
    return others


def best(search: plan.Search, k: int, leave: "Leave", diverse: "Diverse") -> Found:
    """The nearest rows that are neither left out nor too many of one event or patch."""
    if k == 0:
        return Found(np.empty(0, np.uint64), np.empty(0))
    own = leave.own
    any_own = own.change_ids or own.event_ids or own.patch_ids or own.observations
    held = _tables.schema_of(search.table).names
    columns = [*(leave.columns(held) if any_own else ()), *diverse.columns]
    columns = list(dict.fromkeys(columns))

    def kept(rows: pa.Table) -> NDArray[np.bool_]:
        stays = leave.kept(rows)
        of_those = diverse.kept(rows.filter(pa.array(stays)))
        stays[np.flatnonzero(stays)[~of_those]] = False
        return stays

    least = k + leave.about
    spare = _SPARE + (k if diverse.columns else 0) if columns else 0
    first = plan.at_first(search, least, spare)
    found, search.known = plan.enough(search, k, columns, first, kept)
    return found


def short(rows: int, k: int, diverse: "Diverse") -> str:
    """What to say of an answer of fewer rows than were asked for."""
    among = " of different events or patches" if diverse.columns else ""
    return (
        f"{rows:,} rows{among} pass the conditions and can be compared, "
        f"{k:,} were asked for"
    )


def rows(
    table: "lance.LanceDataset",
    found: Found,
    *,
    vectors: bool = False,
    columns: Sequence[str] | None = None,
    known: pa.Table | None = None,
) -> pa.Table:
    """The rows found, with `rank` and `distance`.

    `columns` of the table, in their order; None: all of them, vectors only with `vectors`.
    `known` are columns of the same rows that were read before: where all that is asked for
    is among them, nothing is read.
    """
    held = _tables.schema_of(table)
    if columns is None:
        columns = [
            field.name
            for field in held
            if vectors or not lance_scan.is_vector(field.type)
        ]
    if known is not None and set(columns) <= set(known.column_names):
        rows = known.select(list(columns))
    else:
        rows = rows_of.take(table, found.row_ids, columns)
    rank = pa.array(np.arange(1, len(found.row_ids) + 1, dtype=np.int32))
    told = {"rank": rank, "distance": pa.array(found.distances)}
    head = pa.table(told)
    return pa.Table.from_arrays(
        [*head.columns, *rows.columns], schema=pa.schema([*head.schema, *rows.schema])
    )


def wanted(
    table: "lance.LanceDataset", target: "Target", columns: Sequence[str] | None
) -> tuple[str, ...] | None:
    """The columns that were asked for, each once; None: all but vectors.

    Raises:
        QueryError: rows of the target have no such column.
    """
    if columns is None:
        return None
    given = (columns,) if isinstance(columns, str) else columns
    held = [*_tables.schema_of(table).names, *_TOLD]
    held += PLACE if target == "observations" else ()
    for name in given:
        if name not in held:
            alike = difflib.get_close_matches(str(name), held, n=1)
            hint = (
                f"did you mean {alike[0]}?" if alike else f"there are {', '.join(held)}"
            )
            raise QueryError(f"{target} have no column {name!r}; {hint}")
    return tuple(dict.fromkeys(name for name in given if name not in _TOLD))


def whole(  # noqa: PLR0917 - where to read, what, and what is known of it
    tables: "Tables",
    table: "lance.LanceDataset",
    target: "Target",
    found: Found,
    columns: tuple[str, ...] | None,
    known: pa.Table | None,
    *,
    vectors: bool,
) -> pa.Table:
    """The rows found with `columns` of the target (see `wanted`), after rank and distance."""
    if columns is None:
        all_rows = rows(table, found, vectors=vectors)
        return with_place(tables, all_rows) if target == "observations" else all_rows
    read = [name for name in columns if name in _tables.schema_of(table).names]
    placed = [name for name in columns if name not in read]
    if placed and "patch_id" not in read:
        read.append("patch_id")
    some = rows(table, found, columns=read, known=known)
    if placed:
        some = with_place(tables, some)
        absent = [name for name in placed if name not in some.column_names]
        if absent:
            raise QueryError(
                f"the archive has no patches, of which {', '.join(absent)} would come; "
                "leave them out of columns"
            )
    return some.select([*_TOLD, *columns])


def with_place(tables: "Tables", rows: pa.Table) -> pa.Table:
    """Observations with the place of their patch."""
    if "patches" not in tables:
        return rows
    wanted = pc.unique(rows["patch_id"]).to_pylist()
    names = ["patch_id", *PLACE]
    condition = (
        f"patch_id IN ({', '.join(map(_tables.literal, wanted))})" if wanted else None
    )
    places = tables["patches"].to_table(columns=names, filter=condition)
    at = pc.index_in(rows["patch_id"], value_set=places["patch_id"])
    for name in names[1:]:
        rows = rows.append_column(places.schema.field(name), places[name].take(at))
    return rows
