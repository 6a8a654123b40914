"""`cluster`: kinds of change, written beside the changes and events that have them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.archive.runs import Run
from terradrift.archive.stamp import STAMP, stamp_of
from terradrift.detect.events import majority
from terradrift.detect.kinds import NONE, Cluster, Kind, Kinds
from terradrift.detect.labels import label
from terradrift.errors import ArchiveError
from terradrift.progress import stage
from terradrift.store.tables import Store

_INDICES = ("d_ndvi", "d_nbr", "d_ndwi")


@dataclass(frozen=True, slots=True)
class Clustered:
    """What one `cluster` found."""

    kinds: int
    """Clusters and branches of the tree."""
    reason: str
    """Why there are none; empty where there are."""
    fresh: bool
    """False where nothing had changed since the last time, so that nothing was done."""

    def __str__(self) -> str:
        words = self.reason or f"{self.kinds} kinds of change"
        return words if self.fresh else f"up to date: {words}"


def cluster(
    store: Store, run: Run, model: str, *, threads: int, quiet: bool
) -> Clustered:
    """Group the changes of `model`; replaces kinds, and the kind of changes and events.

    Nothing is done where the changes are those of the last time.

    Raises:
        ArchiveError: there are no changes of the model; run detect first.
    """
    name = schema.suffix(model)
    if not store.exists(f"changes_{name}"):
        raise ArchiveError(
            f"{store.root} holds no changes of {model}; run terradrift detect first"
        )
    made_from = stamp_of(store, f"events_{name}")
    if made_from and stamp_of(store, f"kinds_{name}") == made_from:
        return Clustered(store.count(f"kinds_{name}"), "", fresh=False)
    changes = store.scan(f"changes_{name}").read_all()
    with stage("cluster", changes.num_rows, "changes", quiet=quiet) as advance:
        ids = np.array(changes["change_id"].to_pylist(), np.str_)
        found = Cluster().cluster(
            ids,
            _vectors(changes, "before"),
            _vectors(changes, "delta"),
            threads=threads,
        )
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
    stamp = {STAMP: made_from}
    events = events.replace_schema_metadata({**events.schema.metadata, **stamp})
    store.overwrite(f"events_{name}", events, events.schema)
    kinds = _kinds_table(found, changes, run.run_id)
    kinds = kinds.replace_schema_metadata({**kinds.schema.metadata, **stamp})
    store.overwrite(f"kinds_{name}", kinds, kinds.schema)
    run.rows = len(found.kinds)
    run.message = found.reason or f"{len(found.kinds)} kinds"
    return Clustered(len(found.kinds), found.reason, fresh=True)


def _vectors(table: pa.Table, name: str) -> NDArray[np.float32]:
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
    changes: pa.Table, events: pa.Table, found: Kinds
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


def _kinds_table(found: Kinds, changes: pa.Table, run_id: str) -> pa.Table:
    ids = changes["change_id"].to_pylist()
    indices = np.stack(
        [changes[name].to_numpy(zero_copy_only=False) for name in _INDICES], axis=1
    ).astype(np.float64)
    rows = [_kind_row(kind, ids, indices[kind.rows], run_id) for kind in found.kinds]
    return pa.Table.from_pylist(rows, schema=schema.kinds())


def _kind_row(
    kind: Kind, ids: list[str], indices: NDArray[np.float64], run_id: str
) -> dict[str, object]:
    medians = (
        float(np.median(column[np.isfinite(column)]))
        if np.isfinite(column).any()
        else np.nan
        for column in indices.T
    )
    said = label(*medians)
    return {
        "kind": kind.number,
        "parent": kind.parent,
        "size": len(kind.rows),
        "stability": None if np.isnan(kind.stability) else kind.stability,
        "label": said.label,
        "description": said.description,
        "exemplars": [ids[row] for row in kind.exemplars],
        "centroid": kind.centroid.tolist(),
        "run_id": run_id,
    }
