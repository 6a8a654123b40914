"""Rows that many processes write and one commits.

A worker writes the rows of some units as Lance fragments of no version of the table, which
nobody sees, and hands back a `Part`. The `Committer` makes all parts one version and then
brings the ledger up to it, as `units.Writer` does with rows of its own, so the same holds:
each (scene, tile, model) is in the store whole, and once. Files that no commit took, of
workers or a committer that died, are removed when a committer begins and ends.

While a committer holds the lock the table does not change but by itself, so a worker may
settle which of two observations of a day stays against the version the committer began
with: rows keep their addresses in every version that only adds and removes rows.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import lance
import numpy as np
import pyarrow as pa

from terradrift.store import names, sameday, units
from terradrift.store.disk import doing
from terradrift.store.sameday import Place
from terradrift.store.tables import DATA_STORAGE_VERSION, MAX_ROWS_PER_FILE, Store
from terradrift.store.unit import Entry, Pair, checked, entries

FLUSH_BYTES = 32 << 20
"""Rows of a worker that wait for their fragment."""
COMMIT_UNITS = 1 << 17
"""Entries of the ledger that wait for the one commit; more make a commit before the end."""

Unit = tuple[str, tuple[str, ...], pa.RecordBatch]
"""Tile, scenes and all rows of one day, as `Writer.add` takes them."""

_FOREVER = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Target:
    """What a worker must know of the table that it writes for."""

    root: Path
    model: str
    columns: pa.Schema
    """Of the embeddings, with the metadata that name the model."""
    version: int | None
    """Version of the table that the committer began with; None: there is no table yet."""
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Units that a worker has written, to be committed."""

    fragments: tuple[str, ...]
    """Metadata of Lance fragments, as JSON."""
    entries: tuple[Entry, ...]
    places: frozenset[Place]
    """Tiles and days of the rows."""
    lost: tuple[int, ...]
    """Row addresses of stored rows that a row of these replaces."""


def write(target: Target, done: Iterable[Unit], clash: frozenset[Place]) -> Part:
    """Write units as fragments; some dozens of MB are in memory at a time.

    `clash` are the tiles and days that the table holds rows of already.

    Raises:
        ValueError: a unit that is not whole, see `unit.checked`; or two of a tile and day.
        ArchiveError: the disk is full or cannot be written.
    """
    fragments: list[str] = []
    closed: list[Entry] = []
    places: set[Place] = set()
    lost: list[int] = []
    for some in _some(target, done, closed, places):
        rows = pa.Table.from_batches(some, target.columns)
        here = sameday.places(some) & clash
        if here:
            outcome = sameday.resolve(_begun(target), rows, here)
            rows = rows.filter(pa.array(outcome.keep))
            lost += outcome.lost.tolist()
        if rows.num_rows:
            fragments += _fragments(target, rows)
    return Part(tuple(fragments), tuple(closed), frozenset(places), tuple(lost))


def _some(
    target: Target, done: Iterable[Unit], closed: list[Entry], places: set[Place]
) -> Iterator[list[pa.RecordBatch]]:
    """Rows of units, `FLUSH_BYTES` at a time; notes what they close and where they lie."""
    table = units.embeddings_table(target.model)
    waiting: list[pa.RecordBatch] = []
    for tile, scenes, batch in done:
        whole = checked(tile, scenes, batch, target.columns, table)
        here = sameday.places([whole])
        _check_apart(here & places)
        places |= here
        closed += entries(tile, list(scenes), whole, target.run_id)
        waiting.append(whole)
        if sum(one.nbytes for one in waiting) >= FLUSH_BYTES:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _check_apart(twice: set[Place]) -> None:
    if twice:
        tile, day = min(twice)
        raise ValueError(
            f"tile {tile} comes twice on {np.datetime64(day, 'D')}; expected one unit of "
            "all scenes of the day"
        )


def _begun(target: Target) -> lance.LanceDataset:
    """The table as it was when the committer began."""
    table = units.embeddings_table(target.model)
    return Store.open(target.root).dataset(table, target.version)


def _fragments(target: Target, rows: pa.Table) -> list[str]:
    """Write the rows into the table's folder; the committer may make the table meanwhile."""
    table = units.embeddings_table(target.model)
    store = Store.open(target.root)
    with doing(target.root, f"write {table}"):
        try:
            written = _written(store, table, rows)
        except OSError:
            if target.version is not None or not store.exists(table):
                raise
            written = _written(store, table, rows)
    return [json.dumps(fragment.to_json()) for fragment in written]


def _written(store: Store, table: str, rows: pa.Table) -> list[lance.FragmentMetadata]:
    found: list[lance.FragmentMetadata] = lance.fragment.write_fragments(
        rows,
        str(store.path(table)),
        schema=rows.schema,
        mode="append" if store.exists(table) else "create",
        max_rows_per_file=MAX_ROWS_PER_FILE,
        data_storage_version=DATA_STORAGE_VERSION,
    )
    return found


class Committer:
    """Takes parts, and commits them once; holds the archive's lock.

    Use as a context manager. Parts that were added are committed when the block ends, also
    when it ends with an error of something else; a killed process leaves the archive as it
    was. With more than `commit_units` entries waiting, what there is is committed before.
    """

    def __init__(
        self,
        store: Store,
        model: str,
        columns: pa.Schema,
        *,
        run_id: str | None = None,
        commit_units: int = COMMIT_UNITS,
    ) -> None:
        self._store = store
        self._model = model
        self._table = units.embeddings_table(model)
        self._columns = names.expected(self._table, columns)
        self._run_id = run_id
        self._commit_units = commit_units
        self._lock = store.lock("embed")
        self._done: set[Pair] = set()
        self._taken: set[Place] = set()
        self._parts: list[Part] = []
        self._version: int | None = None
        self.days: frozenset[Place] = frozenset()
        """Tiles and days that the table held rows of when the committer began."""

    @property
    def target(self) -> Target:
        """What the workers are told."""
        return Target(
            self._store.root, self._model, self._columns, self._version, self._run_id
        )

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            units.catch_up(self._store, self._model)
            self._done = units.ledger(self._store, self._model)
            self.days = frozenset(units.days(self._store, self._table, self._columns))
            sweep(self._store, self._table)
            if self._store.exists(self._table):
                self._version = self._store.dataset(self._table).version
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
            self.commit()
            sweep(self._store, self._table)
        finally:
            self._lock.__exit__(kind, error, trace)

    def add(self, part: Part) -> None:
        """Take what a worker wrote.

        Raises:
            ValueError: a unit that the store or an earlier part has already.
        """
        pairs = {(scene, tile) for scene, tile, _, _ in part.entries}
        if pairs & self._done:
            scene, tile = min(pairs & self._done)
            raise ValueError(f"scene {scene} is in the store for tile {tile} already")
        _check_apart(set(part.places & self._taken))
        self._done |= pairs
        self._taken |= part.places
        self._parts.append(part)
        if sum(len(one.entries) for one in self._parts) >= self._commit_units:
            self.commit()

    def commit(self) -> None:
        """Make the parts that wait one version of the table, then bring up the ledger."""
        parts, self._parts = self._parts, []
        closed = [entry for part in parts for entry in part.entries]
        if not closed:
            return
        fragments = [
            lance.FragmentMetadata.from_json(text)
            for part in parts
            for text in part.fragments
        ]
        lost = np.array([row for part in parts for row in part.lost], np.uint64)
        if fragments or len(lost):
            with doing(self._store.root, f"write {self._table}"):
                self._commit(fragments, lost, {units.PROPERTY: json.dumps(closed)})
        units.append_ledger(self._store, self._model, closed)

    def _commit(
        self,
        fragments: list[lance.FragmentMetadata],
        lost: "np.ndarray[tuple[int], np.dtype[np.uint64]]",
        properties: dict[str, str],
    ) -> None:
        if not self._store.exists(self._table):
            made = lance.LanceOperation.Overwrite(self._columns, fragments)
            _as_one(str(self._store.path(self._table)), 0, made, properties)
            return
        dataset = self._store.dataset(self._table)
        if len(lost):
            sameday.exchange(dataset, fragments, lost, properties)
            return
        added = lance.LanceOperation.Append(fragments)
        _as_one(dataset, dataset.version, added, properties)


def _as_one(
    where: "str | lance.LanceDataset",
    version: int,
    operation: lance.LanceOperation.BaseOperation,
    properties: dict[str, str],
) -> None:
    lance.LanceDataset.commit(
        where,
        lance.Transaction(
            read_version=version,
            operation=operation,
            transaction_properties=properties,
        ),
    )


def sweep(store: Store, table: str) -> None:
    """Remove files of the table that belong to no version; the caller holds the lock."""
    with doing(store.root, f"clean {table}"):
        if store.exists(table):
            store.dataset(table).cleanup_old_versions(_FOREVER, delete_unverified=True)
        else:
            shutil.rmtree(store.path(table), ignore_errors=True)


def sweep_uncommitted(store: Store) -> None:
    """Remove tables that were written to and never committed; the caller holds the lock."""
    for folder in store.root.glob("embeddings_*.lance"):
        if not store.exists(folder.stem):
            sweep(store, folder.stem)
