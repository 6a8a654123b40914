"""`cluster`: kinds of change, written beside the changes and events that have them.

Kinds are fitted anew, and a kind that lives on keeps its number and its name; or, asked to
assign, changes take kinds of the last fit by the exemplars nearest to them.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.archive.kinds import fits as kind_fits
from terradrift.archive.kinds import names as kind_names
from terradrift.archive.kinds import rows as kind_rows
from terradrift.archive.kinds.fits import Fit
from terradrift.archive.kinds.rows import Facts
from terradrift.archive.runs import Run
from terradrift.archive.stamp import STAMP, stamp_of
from terradrift.detect.events import majority
from terradrift.detect.kinds import KIND, NONE, Cluster, Kinds
from terradrift.detect.kinds import fates as fates_
from terradrift.detect.kinds.fates import WHAT, Fate
from terradrift.detect.kinds.fitted import Assigned
from terradrift.errors import ArchiveError, SchemaError
from terradrift.progress import stage
from terradrift.store.tables import Store


@dataclass(frozen=True, slots=True)
class Clustered:
    """What one `cluster` found."""

    kinds: int
    """Kinds that changes are of; branches and parts of the tree are not counted."""
    reason: str
    """Why there are none; empty where there are."""
    fresh: bool
    """False where nothing had changed since the last time, so that nothing was done."""
    assigned: bool = False
    """Whether changes took the kinds of an earlier fit."""
    none_share: float = float("nan")
    """0..1, share of changes that are of no kind."""
    fitted_none_share: float = float("nan")
    """The same when the kinds were fitted."""
    fates: tuple[Fate, ...] = ()
    """What became of the kinds of the fit before; empty for a first one."""

    def __str__(self) -> str:
        words = self.reason or f"{self.kinds} kinds of change"
        if not self.fresh:
            return f"up to date: {words}"
        if self.assigned:
            words += (
                f" assigned; {self.none_share:.0%} of changes are of none, "
                f"{self.fitted_none_share:.0%} when they were fitted"
            )
        if told := _told(self.fates):
            words += f"; since the fit before: {told}"
        return words


def _told(fates: tuple[Fate, ...]) -> str:
    counts = Counter(fate.what for fate in fates)
    return ", ".join(f"{counts[what]} {what}" for what in WHAT if counts[what])


def cluster(
    store: Store,
    run: Run,
    model: str,
    *,
    settings: dict[str, Any] | None = None,
    assign: bool = False,
    threads: int,
    quiet: bool,
) -> Clustered:
    """Group the changes of `model`; replaces kinds, and the kind of changes and events.

    `settings` are fields of `detect.kinds.Cluster`; with `assign` kinds are those of the
    last fit. Nothing is done where changes and settings are those of the last time.

    Raises:
        ArchiveError: there are no changes of the model, or no kinds to assign.
        ValueError: a setting that is not known or out of range.
    """
    name = schema.suffix(model)
    if not store.exists(f"changes_{name}"):
        raise ArchiveError(
            f"{store.root} holds no changes of {model}; run terradrift detect first"
        )
    how = _how(settings or {})
    made_from = stamp_of(store, f"events_{name}")
    stamp = made_from + (b" assigned" if assign else f" {how}".encode())
    with suppress(SchemaError):  # an earlier form, which is made anew
        if made_from and stamp_of(store, f"kinds_{name}") == stamp:
            count = store.count(f"kinds_{name}", f"role = '{KIND}'")
            return Clustered(count, "", fresh=False, assigned=assign)
    changes = store.scan(f"changes_{name}").read_all()
    task = _Task.of(store, run, model, changes, threads)
    with stage("cluster", changes.num_rows, "changes", quiet=quiet) as advance:
        found, table = _assigned(task) if assign else _fitted(task, how)
        advance(changes.num_rows)
    events = store.scan(f"events_{name}").read_all()
    changes = _replaced(
        changes,
        kind=_kind_column(found.kind),
        kind_probability=places.nullable(found.probability),
    )
    events = _replaced(events, kind=_kind_column(_event_kinds(changes, events, found)))
    store.overwrite(f"changes_{name}", changes, changes.schema)
    # The stamp says what the tables were made from; kinds get it last, when all is done.
    events = events.replace_schema_metadata(
        {**events.schema.metadata, STAMP: made_from}
    )
    store.overwrite(f"events_{name}", events, events.schema)
    table = table.replace_schema_metadata({**table.schema.metadata, STAMP: stamp})
    store.overwrite(f"kinds_{name}", table, table.schema)
    run.rows = table.num_rows
    run.message = str(found.told)
    return found.told


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The kinds of `n` changes, and what to say of them."""

    kind: NDArray[np.int32]
    probability: NDArray[np.float32]
    told: Clustered


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Changes to find kinds of, and the fit before."""

    store: Store
    run_id: str
    model: str
    changes: pa.Table
    before: NDArray[np.float32]
    delta: NDArray[np.float32]
    last: Fit | None
    """None where there is none of vectors as long as these."""
    threads: int

    @classmethod
    def of(
        cls, store: Store, run: Run, model: str, changes: pa.Table, threads: int
    ) -> "_Task":
        before, delta = vectors(changes, "before"), vectors(changes, "delta")
        last = kind_fits.newest(store, model)
        if last is not None and last.fitted.dimensions != delta.shape[1]:
            last = None
        return cls(store, run.run_id, model, changes, before, delta, last, threads)

    def by(self, fit: Fit) -> Assigned:
        """The kinds that a fit gives to the changes.

        Raises:
            ArchiveError: it was made of vectors of another length.
        """
        try:
            return fit.fitted.assign(self.before, self.delta, threads=self.threads)
        except ValueError as error:
            raise ArchiveError(
                f"{self.store.root}: fit {fit.number} of kinds: {error}; run terradrift "
                "cluster without --assign"
            ) from error

    def table(self, rows: list[dict[str, object]], fit: int) -> pa.Table:
        """Rows of kinds as the table."""
        names = kind_names.names(self.store, self.model)
        return kind_rows.table(rows, names=names, fit=fit, run_id=self.run_id)


def _how(settings: dict[str, Any]) -> Cluster:
    known = Cluster.__dataclass_fields__
    if unknown := sorted(settings.keys() - known.keys()):
        raise ValueError(
            f"cluster has no setting {', '.join(unknown)}; it has {', '.join(known)}"
        )
    return Cluster(**settings)


def _fitted(task: _Task, how: Cluster) -> tuple[_Found, pa.Table]:
    """Kinds of a new fit under lasting numbers; the fit is kept."""
    ids = np.array(task.changes["change_id"].to_pylist(), np.str_)
    found = how.cluster(ids, task.before, task.delta, threads=task.threads)
    fates: list[Fate] = []
    free = 1 if task.last is None else task.last.free
    if task.last is not None and len(ids):
        old = task.by(task.last).kind
        fates = fates_.compare(old, found.kind)
        every = [each.number for each in found.kinds]
        lasting = fates_.numbers(fates, old, found.kind, every, free=free)
        fates = fates_.renumbered(fates, lasting)
        found = found.renumbered(lasting)
    free = max([free, *(each.number + 1 for each in found.kinds)])
    none = _none_share(found.kind)
    number = 0
    if found.fitted is not None:
        number = kind_fits.write(
            task.store,
            task.model,
            found.fitted,
            run_id=task.run_id,
            free=free,
            none_share=none,
        ).number
    told = Clustered(
        sum(each.role == KIND for each in found.kinds),
        found.reason,
        fresh=True,
        none_share=none,
        fitted_none_share=none,
        fates=tuple(fates),
    )
    rows = _rows(found, Facts.of(task.changes, task.delta), ids, fates)
    return _Found(found.kind, found.probability, told), task.table(rows, number)


def _rows(
    found: Kinds, facts: Facts, ids: NDArray[np.str_], fates: list[Fate]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {
            "kind": each.number,
            "parent": each.parent,
            "role": each.role,
            "stability": each.stability,
            **facts.described(each.rows),
            "exemplars": ids[each.exemplars].tolist(),
            "centroid": each.centroid.tolist(),
        }
        for each in found.kinds
    ]
    return kind_rows.fated(kind_rows.ranked(rows), fates)


def _assigned(task: _Task) -> tuple[_Found, pa.Table]:
    """Kinds of the fit that the table shows, with the sizes that they have now."""
    name = f"kinds_{schema.suffix(task.model)}"
    exists = task.store.exists(name)
    held = task.store.scan(name).read_all().to_pylist() if exists else []
    if not held:
        raise ArchiveError(
            f"{task.store.root} holds no kinds of {task.model} to assign; run terradrift "
            "cluster without --assign"
        )
    # A later one may lie beside it, of a run that was killed before its tables.
    fit = kind_fits.read(task.store, task.model, held[0]["fit"])
    told = task.by(fit)
    above = {row["kind"]: row["parent"] for row in held}
    nodes = {
        number: np.flatnonzero(told.node == number)
        for number in np.unique(told.node).tolist()
        if number != NONE
    }
    inside: dict[int, list[NDArray[np.int64]]] = {number: [] for number in above}
    for number, rows in nodes.items():
        up: int | None = number
        while up is not None:
            inside[up].append(rows)
            up = above[up]
    facts = Facts.of(task.changes, task.delta)
    none = np.zeros(0, np.int64)
    rows_now = []
    for row in held:
        kept = {key: row[key] for key in ("label", "description")}
        here = facts.described(np.concatenate([none, *inside[row["kind"]]]))
        # What a kind is called stays; how many there are of it is as of now.
        rows_now.append({**row, **here, **kept})
    table = task.table(kind_rows.ranked(rows_now), fit.number)
    answer = Clustered(
        sum(row["role"] == KIND for row in held),
        "",
        fresh=True,
        assigned=True,
        none_share=_none_share(told.kind),
        fitted_none_share=fit.none_share,
    )
    return _Found(told.kind, told.probability, answer), table


def _none_share(kind: NDArray[np.int32]) -> float:
    return float((kind == NONE).mean()) if len(kind) else 0.0


def vectors(table: pa.Table, name: str) -> NDArray[np.float32]:
    """(n, d) vectors of a column."""
    column = table[name].combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    size = table.schema.field(name).type.list_size
    return np.asarray(flat, np.float32).reshape(-1, size)


def _kind_column(kinds: NDArray[np.int32]) -> pa.Array:
    return pa.array(kinds, pa.int32(), mask=kinds == NONE)


def _replaced(table: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(name), values)
    return table


def _event_kinds(
    changes: pa.Table, events: pa.Table, found: _Found
) -> NDArray[np.int32]:
    """The most frequent kind among each event's changes; of its best where two are."""
    if events.num_rows == 0:
        return np.zeros(0, np.int32)
    # Row numbers of events in the order of the table, and each change's event as such.
    event = pc.index_in(changes["event_id"], events["event_id"].combine_chunks())
    numbers = event.to_numpy().astype(np.int64)
    order = np.lexsort((-changes["score"].to_numpy(), numbers))
    first = order[np.searchsorted(numbers[order], np.arange(events.num_rows))]
    return majority(numbers, found.kind, found.kind[first])
