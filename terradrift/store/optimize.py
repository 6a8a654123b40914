"""Put the archive in order: sorted histories, few files, indexes, no stale versions.

Every step is a commit of its own that leaves the same rows, so a process killed in between
loses nothing; and a version stays for a while after it was replaced, so whoever reads it
can finish.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Literal, cast

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.store import committer, layout, names, units
from terradrift.store.ahead import ahead
from terradrift.store.disk import doing
from terradrift.store.layout import Layout
from terradrift.store.tables import Store

KEEP = timedelta(hours=1)
"""How long a version stays readable after it was replaced."""

_ORDER = {
    "embeddings": ("patch_id", "datetime"),
    "scores": ("patch_id", "datetime"),
    "changes": ("patch_id", "onset"),
    "patch_changes": ("patch_id",),
}
_INDEXES: dict[str, Literal["BITMAP", "BTREE"]] = {
    "tile": "BITMAP",
    "patch_id": "BTREE",
    "change_id": "BTREE",
}
_SORTED = "terradrift:sorted"
"""Table metadata: a digest of the data files that were in order when it was set."""

_BLOCK_BYTES = 64 << 20
_FILE_BYTES = 1 << 30
_FOREVER = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Optimized:
    """What was done to one table."""

    table: str
    rows: int
    sorted: bool
    """Whether its rows had to be put in order."""
    files_before: int
    files_after: int
    freed_bytes: int

    def __str__(self) -> str:
        how = "sorted" if self.sorted else "compacted"
        return (
            f"{self.table}: {self.rows:,} rows {how}, {self.files_before} files to "
            f"{self.files_after}, {self.freed_bytes / 1e6:,.1f} MB freed"
        )


def optimize(
    store: Store,
    *,
    keep: timedelta = KEEP,
    block_bytes: int = _BLOCK_BYTES,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Optimized]:
    """Sort, compact, index and clean every table; `advance` is told of each one done.

    Versions replaced longer than `keep` ago go; a reader that opened the archive since
    then can finish. Memory stays at a few blocks of `block_bytes`, whatever the archive's
    size; the disk must hold the largest table twice.

    Raises:
        ArchiveLockedError: another process is writing.
        ArchiveError: the disk is full or cannot be written; the tables are as they were.
    """
    done = []
    with store.lock("optimize"):
        committer.sweep_uncommitted(store)
        for table in store.tables():
            # The ledger must not depend on commits that are about to be cleaned away.
            if names.kind(table) == "embeddings":
                units.catch_up(store, table.partition("_")[2])
            done.append(_table(store, table, keep, block_bytes))
            advance(1)
    return done


def _table(store: Store, table: str, keep: timedelta, block_bytes: int) -> Optimized:
    before = store.dataset(table)
    files = len(before.get_fragments())
    key = _ORDER.get(names.kind(table))
    sort = key is not None and before.metadata.get(_SORTED) != _files(before)
    if sort and key is not None:
        _sort(store, table, key, block_bytes)
    with doing(store.root, f"optimize {table}"):
        if key is None:
            before.optimize.compact_files()
        else:
            _index(store.dataset(table))
        freed = _clean(store.dataset(table), keep)
    after = store.dataset(table)
    return Optimized(
        table=table,
        rows=after.count_rows(),
        sorted=sort,
        files_before=files,
        files_after=len(after.get_fragments()),
        freed_bytes=freed,
    )


def _sort(store: Store, table: str, key: tuple[str, ...], block_bytes: int) -> None:
    """Rewrite the table by tile and `key` in one commit, streaming."""
    dataset = store.dataset(table)
    found = layout.layout(dataset)
    per_row = max(1, _row_bytes(dataset.schema))
    blocks = sorted_blocks(found, key, max(1, block_bytes // per_row))
    batches = (batch for block in blocks for batch in block.to_batches())
    rows_per_file = max(1 << 13, _FILE_BYTES // per_row)
    store.overwrite(table, batches, dataset.schema, max_rows_per_file=rows_per_file)
    with doing(store.root, f"optimize {table}"):
        newest = store.dataset(table)
        newest.update_metadata({_SORTED: _files(newest)})


def sorted_blocks(
    found: Layout, key: tuple[str, ...], rows_per_block: int
) -> Iterator[pa.Table]:
    """All rows by tile, then `key`, some at a time; two blocks are read ahead."""
    tasks = (
        partial(layout.take, found.dataset, found.dataset.schema.names, rows)
        for tile in found.runs
        for rows in _cut(_sorted_rows(found, tile, key), rows_per_block)
    )
    return ahead(tasks, 2)


def _sorted_rows(found: Layout, tile: str, key: tuple[str, ...]) -> NDArray[np.int64]:
    """Positions of the tile's rows, in the order of `key`."""
    ranges = found.runs[tile]
    light = layout.read_table(found.dataset, list(key), ranges)
    order = pc.sort_indices(light, [(name, "ascending") for name in key])
    rows: NDArray[np.int64] = np.take(layout.positions(ranges), order.to_numpy())
    return rows


def _cut(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _row_bytes(columns: pa.Schema) -> int:
    """Bytes of a row's vectors, and something for the rest."""
    lists = [field.type for field in columns if pa.types.is_fixed_size_list(field.type)]
    bits = [type_.list_size * type_.value_type.bit_width for type_ in lists]
    return int(64 + sum(bits) // 8)


def _files(dataset: lance.LanceDataset) -> str:
    """Digest of the names of the table's data files; a name is never used twice."""
    paths = sorted(
        file.path for part in dataset.get_fragments() for file in part.data_files()
    )
    return hashlib.sha256("\n".join(paths).encode()).hexdigest()


def _index(dataset: lance.LanceDataset) -> None:
    """Make the scalar indexes that filters use, where rows are not covered yet."""
    rows = dataset.count_rows()
    if not rows:
        return
    covered = {
        index.field_names[0]: index.num_rows_indexed
        for index in dataset.describe_indices()
    }
    for column, type_ in _INDEXES.items():
        if column in dataset.schema.names and covered.get(column) != rows:
            dataset.create_scalar_index(column, type_)


def _clean(dataset: lance.LanceDataset, keep: timedelta) -> int:
    """Remove versions replaced longer than `keep` ago; bytes freed.

    A version's own age does not tell whether somebody reads it, but the age of the one
    that replaced it does: since then no reader opens it.
    """
    cutoff = datetime.now(UTC) - keep
    versions = sorted(
        (int(entry["version"]), cast("datetime", entry["timestamp"]).astimezone(UTC))
        for entry in dataset.versions()
    )
    stale = [
        old for (old, _), (_, replaced) in pairwise(versions) if replaced <= cutoff
    ]
    # The lock is held, so files of no version are left-overs of killed writers.
    freed = (
        dataset.cleanup_old_versions(versions=stale, delete_unverified=True)
        if stale
        else dataset.cleanup_old_versions(_FOREVER, delete_unverified=True)
    )
    return int(freed.bytes_removed)
