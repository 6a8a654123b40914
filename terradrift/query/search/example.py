"""What others should be like: read from the tables, or from numbers that are given."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.period import Period
from terradrift.query import lance_scan
from terradrift.query import tables as _tables
from terradrift.query import where as conditions
from terradrift.query.search import aim, candidates, members, misses
from terradrift.query.search.aim import Aim, Members, Own
from terradrift.query.search.deadline import NEVER, Deadline
from terradrift.query.where import Where

if TYPE_CHECKING:
    import pyarrow as pa

    from terradrift.query.search.modes import Mode
    from terradrift.query.tables import Tables
    from terradrift.space import Space

WAYS = (
    "change=ID, event=ID, like_kind=NUMBER, patch=ID with date=DAY, region=POLYGON, "
    "vector=NUMBERS, like=[IDS] or labels=NAME"
)
_KINDS_SHOWN = 12
_LARGEST = 1e15
"""Squares of larger numbers, summed, may be infinite in single precision."""
_REAL = "iufO"
"""Of NumPy's types; objects may still be numbers, such as Decimal."""
_NOT_REAL = {"b": "booleans", "c": "complex numbers", "U": "text", "S": "bytes"}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Asked:
    """The example as it was asked for; exactly one way of saying it."""

    change: str | None = None
    event: str | None = None
    like_kind: int | None = None
    patch: str | None = None
    date: str | None = None
    region: Any = None
    vector: "ArrayLike | str | Path | None" = None

    def __post_init__(self) -> None:
        if self.ways > 1:
            raise QueryError(
                f"expected one example, got {self.ways}: pass one of {WAYS}"
            )
        if (self.patch is None) != (self.date is None):
            raise QueryError(
                "patch and date belong together: patch=ID, date=2018-05-16"
            )

    @property
    def ways(self) -> int:
        """How many examples are given."""
        given = (
            self.change,
            self.event,
            self.like_kind,
            self.patch,
            self.region,
            self.vector,
        )
        return sum(one is not None for one in given)


def find(
    tables: "Tables",
    model: str | None,
    asked: Asked,
    mode: "Mode",
    space: "Space | None",
    *,
    dimensions: int,
    deadline: Deadline = NEVER,
) -> Aim:
    """What to look for.

    An event, a kind and a region stand for the mean of their changes' directions.

    Raises:
        QueryError: none is given, it is not there (near misses are named), or it has
            nothing to compare, or the time is over.
    """
    if asked.change is not None:
        return aim.mean(_change(tables, model, asked.change, mode), mode, space)
    if asked.event is not None:
        return aim.mean(_event(tables, model, asked.event, mode, deadline), mode, space)
    if asked.like_kind is not None:
        return _kind(tables, model, asked.like_kind, mode, space, deadline=deadline)
    if asked.region is not None:
        return _region(tables, model, asked.region, mode, space, deadline=deadline)
    if asked.patch is not None:
        return aim.mean(_step(tables, model, asked.patch, str(asked.date)), mode, space)
    if asked.vector is None:
        raise QueryError(f"expected an example: one of {WAYS}")
    return aim.mean(_given(asked.vector, mode, dimensions, model), mode, space)


def _change(tables: "Tables", model: str | None, change: str, mode: "Mode") -> Members:
    found = members.of_ids(
        tables, model, [change], parts=mode.parts, name=f"change {change}"
    )
    if found.ids != (change,):
        raise QueryError(f"{change} is an event, not a change: pass event={change!r}")
    return found


def _event(
    tables: "Tables",
    model: str | None,
    event: str,
    mode: "Mode",
    deadline: Deadline,
) -> Members:
    found = members.of_ids(
        tables,
        model,
        [event],
        parts=mode.parts,
        name=f"event {event}",
        events=True,
        deadline=deadline,
    )
    return Members(
        f"event {event} ({len(found.ids):,} changes)", found.parts, found.own, found.ids
    )


def _kind(
    tables: "Tables",
    model: str | None,
    kind: int,
    mode: "Mode",
    space: "Space | None",
    *,
    deadline: Deadline,
) -> Aim:
    table = _tables.of_model(tables, "changes", model)
    ids = candidates.find(tables, model, "changes", Where.parse(kind=kind), deadline)
    if ids is None or not len(ids):
        there = pc.unique(table.to_table(columns=["kind"])["kind"]).to_pylist()
        known = sorted(one for one in there if one is not None)
        shown = ", ".join(map(str, known[:_KINDS_SHOWN]))
        more = ", ..." if len(known) > _KINDS_SHOWN else ""
        raise QueryError(
            f"no change of {model} is of kind {kind}; there are "
            + (f"kinds {shown}{more}" if known else "no kinds: run terradrift cluster")
        )
    total, count = members.sum_of_rows(
        table, ids, mode, space, f"kind {kind}", deadline
    )
    # A kind is no place and no day: its changes are what is asked for.
    return aim.aimed(f"kind {kind} ({count:,} changes)", total, mode, space)


def _region(
    tables: "Tables",
    model: str | None,
    region: Any,  # noqa: ANN401 - see `region.parse`
    mode: "Mode",
    space: "Space | None",
    *,
    deadline: Deadline,
) -> Aim:
    table = _tables.of_model(tables, "changes", model)
    where = Where.parse(within=region)
    ids = candidates.find(tables, model, "changes", where, deadline)
    if ids is None or not len(ids):
        raise QueryError(
            f"no change of {model} touches the region{candidates.outside(tables, where)}; "
            "choose another region, or patch=ID with date=DAY"
        )
    total, count = members.sum_of_rows(table, ids, mode, space, "the region", deadline)
    own = members.whose(table, ids)
    return aim.aimed(f"the region ({count:,} changes)", total, mode, space, own=own)


def _given(
    given: "ArrayLike | str | Path", mode: "Mode", dimensions: int, model: str | None
) -> Members:
    values = _numbers(load(given) if isinstance(given, str | Path) else given)
    wanted = len(mode.parts) * dimensions
    if len(values) != wanted:
        raise QueryError(
            f"expected a vector of {wanted} numbers for {' and '.join(mode.parts)} of "
            f"{model}, got {len(values)}; embed the example with the same model"
        )
    parts = values.reshape(len(mode.parts), 1, dimensions)
    return Members("the vector", dict(zip(mode.parts, parts, strict=True)))


def load(path: str | Path) -> NDArray[np.generic]:
    """Numbers in a file: an array of `.npy`, or a JSON list.

    Raises:
        QueryError: there is no such file, or it holds something else.
    """
    file = Path(path).expanduser()
    form = "a .npy file, or a .json file with a list of numbers"
    try:
        if file.suffix == ".npy":
            found: NDArray[np.generic] = np.load(file, allow_pickle=False)
            return found
        if file.suffix == ".json":
            return np.asarray(json.loads(file.read_text()))
    except (OSError, ValueError, EOFError, RecursionError, MemoryError) as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise QueryError(f"expected {form}, cannot read {path}: {told}") from error
    raise QueryError(f"expected {form}, got {str(path)!r}")


def _numbers(given: ArrayLike) -> NDArray[np.float32]:
    try:
        held = np.asarray(given)
        if held.dtype.kind not in _REAL:
            what = _NOT_REAL.get(held.dtype.kind, "something else")
            raise QueryError(
                f"expected a vector of numbers, got {what}: {given!r:.60}; pass real numbers"
            )
        with np.errstate(over="ignore"):  # what is too large is said below
            values = held.astype(np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, QueryError):
            raise
        raise QueryError(f"expected a vector of numbers, got {given!r:.60}") from error
    if values.ndim != 1:
        raise QueryError(
            f"expected one vector of numbers, got an array of shape {values.shape}"
        )
    if not (np.abs(values) <= _LARGEST).all():
        raise QueryError(
            f"expected a vector of finite numbers up to {_LARGEST:g}, got NaN or infinity or "
            "a larger one; pass it as the model gives it"
        )
    return values


def _step(tables: "Tables", model: str | None, patch: str, date: str) -> Members:
    """The observation of `patch` in the period `date`, and the one before it."""
    period = conditions.period(date, "date", "a day such as 2018-05-16")
    table = _tables.of_model(tables, "embeddings", model)
    shown = lance_scan.FloatDataset(table)
    rows = table.scanner(
        columns=shown.projection(["datetime", "clear_percent", "embedding"]),
        filter=f"patch_id = {_tables.literal(patch)}",
    ).to_table()
    if rows.num_rows == 0:
        raise QueryError(
            f"no observation of patch {patch!r} under {model}; "
            f"{misses.hint(table, 'patch_id', patch)}"
        )
    history = rows.sort_by("datetime").to_pylist()
    inside = [at for at, row in enumerate(history) if row["datetime"] in period]
    if not inside:
        days = _nearest([row["datetime"] for row in history], period)
        raise QueryError(f"patch {patch} was not seen in {date}; nearest: {days}")
    at = max(inside, key=lambda row: (history[row]["clear_percent"] or 0.0, -row))
    seen = history[at]
    parts = {"after": _row(seen["embedding"])}
    if at > 0:
        parts["before"] = _row(history[at - 1]["embedding"])
        parts["delta"] = parts["after"] - parts["before"]
    own = Own(
        event_ids=_events(tables, model, patch),
        patch_ids=frozenset({patch}),
        observations=frozenset({(patch, seen["datetime"])}),
        places=_place(tables, patch),
    )
    return Members(f"patch {patch} on {seen['datetime']:%Y-%m-%d}", parts, own)


def _events(tables: "Tables", model: str | None, patch: str) -> frozenset[str]:
    """The events of the patch's changes, at any time; empty before changes were told."""
    if f"changes_{schema.suffix(model or '')}" not in tables:
        return frozenset()
    rows = _tables.of_model(tables, "changes", model).to_table(
        columns=["event_id"], filter=f"patch_id = {_tables.literal(patch)}"
    )
    return frozenset(rows["event_id"].drop_null().to_pylist())


def _row(values: Sequence[float] | None) -> NDArray[np.float32]:
    """(1, d), NaN where there is no vector or it is not finite."""
    vector = np.asarray([np.nan] if values is None else values, np.float32)
    return np.where(np.isfinite(vector).all(), vector, np.nan)[None].astype(np.float32)


def _place(tables: "Tables", patch: str) -> NDArray[np.float64]:
    if "patches" not in tables:
        return np.empty((0, 2))
    rows: pa.Table = tables["patches"].to_table(
        columns=["longitude", "latitude"],
        filter=f"patch_id = {_tables.literal(patch)}",
    )
    return np.array(
        [[row["longitude"], row["latitude"]] for row in rows.to_pylist()], np.float64
    ).reshape(-1, 2)


def _nearest(days: Sequence[Any], period: Period) -> str:
    before = [day for day in days if day < period.start]
    after = [day for day in days if day >= period.end]
    return " and ".join(f"{day:%Y-%m-%d}" for day in (*before[-1:], *after[:1]))
