"""The ledger of what was embedded: each (scene, tile, model) is in the store whole, and once.

Rows and their ledger entries cannot be one Lance commit, for they are two tables. So the
commit of the rows carries its entries as transaction properties, and the ledger table
follows. Whoever comes after a crash between the two finds the entries in the newest such
commit. At most one commit can be ahead of the ledger, for every writer first catches up.
"""

import json
import time
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift.store import names, sameday
from terradrift.store.disk import doing
from terradrift.store.door import ordered
from terradrift.store.sameday import Place
from terradrift.store.tables import Store

PROPERTY = "terradrift:units"
"""Transaction property of a commit of embeddings: its ledger entries as JSON rows."""

FLUSH_BYTES = 32 << 20
FLUSH_SECONDS = 20.0

Pair = tuple[str, str]
"""`scene_id` and tile."""
_Entry = tuple[str, str, int, str | None]


def embeddings_table(model: str) -> str:
    """Name of the table that holds the model's vectors."""
    return f"embeddings_{schema.suffix(model)}"


def units_table(model: str) -> str:
    """Name of the table that is the model's ledger."""
    return f"units_{schema.suffix(model)}"


def done(store: Store, model: str) -> set[Pair]:
    """Every (scene_id, tile) that is in the store under the model; needs no lock."""
    ahead = {(scene, tile) for scene, tile, _, _ in _ahead(store, model)}
    return _ledger(store, model) | ahead


def catch_up(store: Store, model: str) -> None:
    """Bring the ledger up to the embeddings, after a crash between the two commits."""
    with store.lock("catch up"):
        known = _ledger(store, model)
        missing = [e for e in _ahead(store, model) if (e[0], e[1]) not in known]
        _append_ledger(store, model, missing)


class Writer:
    """Takes embedded units, and commits them some dozens of MB at a time.

    Use as a context manager; it holds the archive's lock. Units that were added are
    committed when the block ends, also when it ends with an error of something else.
    """

    def __init__(
        self,
        store: Store,
        model: str,
        columns: pa.Schema,
        *,
        run_id: str | None = None,
        flush_bytes: int = FLUSH_BYTES,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._store = store
        self._model = model
        self._table = embeddings_table(model)
        self._columns = names.expected(self._table, columns)
        self._run_id = run_id
        self._flush_bytes = flush_bytes
        self._flush_seconds = flush_seconds
        self._lock = store.lock("embed")
        self._done: set[Pair] = set()
        self._days: set[Place] = set()
        self._batches: list[pa.RecordBatch] = []
        self._entries: list[_Entry] = []
        self._waiting: set[Place] = set()
        self._bytes = 0
        self._last = 0.0

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            self._begin()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.flush()
        finally:
            self._lock.__exit__(kind, error, trace)

    def add(self, tile: str, scene_ids: tuple[str, ...], batch: pa.RecordBatch) -> None:
        """Take one whole unit: all rows of `tile` from the scenes of one day.

        A unit that is in the store already is left out. A batch of no rows closes the
        unit all the same.

        Raises:
            ModelMismatchError: the batch is of another model than the table.
            ValueError: rows of another tile or scene, or two of one patch and day.
        """
        fresh = [scene for scene in scene_ids if (scene, tile) not in self._done]
        if not fresh:
            return
        batch = self._checked(tile, scene_ids, batch)
        places = sameday.places([batch])
        if places & self._waiting:
            self.flush()
        self._waiting |= places
        self._batches.append(batch)
        self._bytes += batch.nbytes
        self._entries += _entries(tile, fresh, batch, self._run_id)
        self._done.update((scene, tile) for scene in fresh)
        if (
            self._bytes >= self._flush_bytes
            or time.monotonic() - self._last >= self._flush_seconds
        ):
            self.flush()

    def flush(self) -> None:
        """Commit the units that wait: their rows, then their ledger entries."""
        entries, batches = self._entries, self._batches
        waiting = self._waiting
        self._entries, self._batches, self._waiting = [], [], set()
        self._bytes, self._last = 0, time.monotonic()
        if not entries:
            return
        rows = pa.Table.from_batches(batches, self._columns)
        if rows.num_rows:
            self._commit(rows, waiting, {PROPERTY: json.dumps(entries)})
            self._days |= waiting
        _append_ledger(self._store, self._model, entries)

    def _begin(self) -> None:
        catch_up(self._store, self._model)
        self._done = _ledger(self._store, self._model)
        self._last = time.monotonic()
        if self._store.exists(self._table):
            held = self._store.dataset(self._table).schema
            names.check_model(held, self._columns, self._table)
            schema.check(self._columns, names.expected(self._table, held), self._table)
            self._days = sameday.places(
                self._store.scan(self._table, ["tile", "datetime"], batch_size=1 << 16)
            )

    def _checked(
        self, tile: str, scene_ids: tuple[str, ...], batch: pa.RecordBatch
    ) -> pa.RecordBatch:
        claimed = batch.schema.metadata or {}
        if any(key.encode() in claimed for key in names.IDENTITY):
            names.check_model(self._columns, batch.schema, self._table)
        schema.check(batch.schema, self._columns, self._table)
        whole = ordered(batch, self._columns)
        _check_unit(tile, scene_ids, whole)
        # A block of patches then is one stretch of every unit, read without the others.
        return whole.sort_by("patch_id")

    def _commit(
        self, rows: pa.Table, places: set[Place], properties: dict[str, str]
    ) -> None:
        clash = places & self._days
        if clash:
            dataset = self._store.dataset(self._table)
            outcome = sameday.resolve(dataset, rows, clash)
            rows = rows.filter(pa.array(outcome.keep))
            if len(outcome.lost):
                with doing(self._store.root, f"write {self._table}"):
                    sameday.replace(dataset, rows, outcome.lost, properties)
                return
        if rows.num_rows:
            self._store.append(self._table, rows, properties=properties)


def _check_unit(tile: str, scene_ids: tuple[str, ...], batch: pa.RecordBatch) -> None:
    others = set(batch.column("tile").unique().to_pylist()) - {tile}
    if others:
        raise ValueError(f"unit of tile {tile} has rows of {sorted(map(str, others))}")
    foreign = set(batch.column("scene_id").unique().to_pylist()) - set(scene_ids)
    if foreign:
        raise ValueError(
            f"unit of {', '.join(scene_ids)} has rows of {sorted(map(str, foreign))}"
        )
    if batch.column("datetime").null_count or batch.column("patch_id").null_count:
        raise ValueError(f"unit of tile {tile} has rows without a patch_id or datetime")
    if empty := batch.column("embedding").null_count:
        raise ValueError(f"unit of tile {tile} has {empty} rows without a vector")
    patch = batch.column("patch_id").dictionary_encode().indices
    keys = np.column_stack(
        [patch.to_numpy(zero_copy_only=False), sameday.days(batch.column("datetime"))]
    )
    if len(np.unique(keys, axis=0)) != batch.num_rows:
        raise ValueError(
            f"unit of tile {tile} and {', '.join(scene_ids)} has two rows of one patch "
            "and day; expected one, the clearest"
        )


def _entries(
    tile: str, scenes: list[str], batch: pa.RecordBatch, run_id: str | None
) -> list[_Entry]:
    given = batch.column("scene_id").value_counts()
    rows = {str(pair["values"]): int(pair["counts"].as_py()) for pair in given}
    if run_id is None and batch.num_rows:
        run_id = batch.column("run_id")[0].as_py()
    return [(scene, tile, rows.get(scene, 0), run_id) for scene in scenes]


def _ledger(store: Store, model: str) -> set[Pair]:
    if not store.exists(units_table(model)):
        return set()
    found = store.scan(units_table(model), ["scene_id", "tile"]).read_all()
    return set(
        zip(found["scene_id"].to_pylist(), found["tile"].to_pylist(), strict=True)
    )


def _append_ledger(store: Store, model: str, entries: list[_Entry]) -> None:
    if not entries:
        return
    columns = schema.units()
    values = [list(column) for column in zip(*entries, strict=True)]
    arrays = [
        pa.array(column, field.type)
        for column, field in zip(values, columns, strict=True)
    ]
    store.append(units_table(model), pa.Table.from_arrays(arrays, schema=columns))


def _ahead(store: Store, model: str) -> list[_Entry]:
    """Ledger entries of the newest commit of embeddings that carries any."""
    table = embeddings_table(model)
    if not store.exists(table):
        return []
    dataset = store.dataset(table)
    for version in range(dataset.version, 0, -1):
        try:
            transaction = dataset.read_transaction(version)
        except (OSError, ValueError):
            break  # cleaned away by optimize, which catches up first
        properties = (transaction and transaction.transaction_properties) or {}
        if PROPERTY in properties:
            return [tuple(entry) for entry in json.loads(properties[PROPERTY])]
    return []
