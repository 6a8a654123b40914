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

import pyarrow as pa

from terradrift import schema
from terradrift.store import names, sameday
from terradrift.store.disk import doing
from terradrift.store.sameday import Place
from terradrift.store.tables import Store
from terradrift.store.unit import Entry, Pair, checked, entries

PROPERTY = "terradrift:units"
"""Transaction property of a commit of embeddings: its ledger entries as JSON rows."""

FLUSH_BYTES = 32 << 20
FLUSH_SECONDS = 20.0


def embeddings_table(model: str) -> str:
    """Name of the table that holds the model's vectors."""
    return f"embeddings_{schema.suffix(model)}"


def units_table(model: str) -> str:
    """Name of the table that is the model's ledger."""
    return f"units_{schema.suffix(model)}"


def done(store: Store, model: str) -> set[Pair]:
    """Every (scene_id, tile) that is in the store under the model; needs no lock."""
    ahead = {(scene, tile) for scene, tile, _, _ in _ahead(store, model)}
    return ledger(store, model) | ahead


def catch_up(store: Store, model: str) -> None:
    """Bring the ledger up to the embeddings, after a crash between the two commits."""
    with store.lock("catch up"):
        known = ledger(store, model)
        missing = [e for e in _ahead(store, model) if (e[0], e[1]) not in known]
        append_ledger(store, model, missing)


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
        self._entries: list[Entry] = []
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
        batch = checked(tile, scene_ids, batch, self._columns, self._table)
        places = sameday.places([batch])
        if places & self._waiting:
            self.flush()
        self._waiting |= places
        self._batches.append(batch)
        self._bytes += batch.nbytes
        self._entries += entries(tile, fresh, batch, self._run_id)
        self._done.update((scene, tile) for scene in fresh)
        if (
            self._bytes >= self._flush_bytes
            or time.monotonic() - self._last >= self._flush_seconds
        ):
            self.flush()

    def flush(self) -> None:
        """Commit the units that wait: their rows, then their ledger entries."""
        closed, batches = self._entries, self._batches
        waiting = self._waiting
        self._entries, self._batches, self._waiting = [], [], set()
        self._bytes, self._last = 0, time.monotonic()
        if not closed:
            return
        rows = pa.Table.from_batches(batches, self._columns)
        if rows.num_rows:
            self._commit(rows, waiting, {PROPERTY: json.dumps(closed)})
            self._days |= waiting
        append_ledger(self._store, self._model, closed)

    def _begin(self) -> None:
        catch_up(self._store, self._model)
        self._done = ledger(self._store, self._model)
        self._days = days(self._store, self._table, self._columns)
        self._last = time.monotonic()

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


def days(store: Store, table: str, columns: pa.Schema) -> set[Place]:
    """The tiles and days that the table holds rows of.

    Raises:
        ModelMismatchError: it holds vectors of another model than `columns` names.
        SchemaError: or of another length.
    """
    if not store.exists(table):
        return set()
    held = store.dataset(table).schema
    names.check_model(held, columns, table)
    schema.check(columns, names.expected(table, held), table)
    return sameday.places(store.scan(table, ["tile", "datetime"], batch_size=1 << 16))


def ledger(store: Store, model: str) -> set[Pair]:
    """Every (scene_id, tile) that the ledger holds; after `catch_up` that is all."""
    if not store.exists(units_table(model)):
        return set()
    found = store.scan(units_table(model), ["scene_id", "tile"]).read_all()
    return set(
        zip(found["scene_id"].to_pylist(), found["tile"].to_pylist(), strict=True)
    )


def append_ledger(store: Store, model: str, closed: list[Entry]) -> None:
    """Add entries whose rows are in the store; the caller holds the lock."""
    if not closed:
        return
    columns = schema.units()
    values = [list(column) for column in zip(*closed, strict=True)]
    arrays = [
        pa.array(column, field.type)
        for column, field in zip(values, columns, strict=True)
    ]
    store.append(units_table(model), pa.Table.from_arrays(arrays, schema=columns))


def _ahead(store: Store, model: str) -> list[Entry]:
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
