"""Rows that many processes write and one commits: what a worker writes.

A worker writes the rows of some units as Lance fragments of no version of the table, which
nobody sees, and hands back a `Part`. `committer.Committer` makes all parts one version.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa

from terradrift.store import sameday, units
from terradrift.store.disk import doing
from terradrift.store.sameday import Place
from terradrift.store.tables import DATA_STORAGE_VERSION, MAX_ROWS_PER_FILE, Store
from terradrift.store.unit import Entry, checked, entries

FLUSH_BYTES = 32 << 20
"""Rows of a worker that wait for their fragment."""

Unit = tuple[str, tuple[str, ...], pa.RecordBatch]
"""Tile, scenes and all rows of one day, as `Writer.add` takes them."""


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
        check_apart(here & places)
        places |= here
        closed += entries(tile, list(scenes), whole, target.run_id)
        waiting.append(whole)
        if sum(one.nbytes for one in waiting) >= FLUSH_BYTES:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def check_apart(twice: set[Place]) -> None:
    """Raise `ValueError` where there are tiles and days that come twice."""
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
