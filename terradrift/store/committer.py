"""Rows that many processes write and one commits: how they are committed.

All parts become one version of the table, which carries the ledger's entries, and then the
ledger is brought up to it, as `units.Writer` does with rows of its own. So the same holds:
each (scene, tile, model) is in the store whole, and once. Files that no commit took, of
workers or a committer that died, are removed when a committer begins and ends.

While a committer holds the lock the table does not change but by itself, so a worker may
settle which of two observations of a day stays against the version the committer began
with: rows keep their addresses in every version that only adds and removes rows.
"""

import json
import shutil
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

import lance
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.store import names, sameday, units
from terradrift.store.disk import doing
from terradrift.store.parts import Part, Target, check_apart
from terradrift.store.tables import Store

if TYPE_CHECKING:
    from terradrift.store.sameday import Place
    from terradrift.store.unit import Pair

COMMIT_UNITS = 1 << 17
"""Entries of the ledger that wait for the one commit; more make a commit before the end."""

_FOREVER = timedelta(days=36500)


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
        check_apart(set(part.places & self._taken))
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
        lost: NDArray[np.uint64],
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
