"""Index an archive: vectors for searches, columns for SQL, where tables are large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift import schema
from terradrift.archive import spacing
from terradrift.errors import ArchiveLockedError
from terradrift.query import tables as _tables
from terradrift.query.columns import build as columns
from terradrift.query.columns import form
from terradrift.query.index import build as vectors
from terradrift.query.index import kept
from terradrift.query.search.candidates import BASE
from terradrift.query.search.modes import resolve
from terradrift.query.search.nearest import STEP
from terradrift.store import spaces
from terradrift.store.lock import WriterLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from terradrift.store.tables import Store

ROWS = 50_000
"""Fewer rows are searched and counted in a few hundredths of a second as they are stored."""

_MODES = {
    "changes": ("delta", "after", "before", "before-after"),
    "observations": ("after",),
}


def index(
    store: Store,
    model: str | None,
    *,
    target: str | None = None,
    mode: str | None = None,
    every: bool = False,
    threads: int = 1,
    quiet: bool = False,
) -> list[str]:
    """Index what is not indexed, or no longer; says what was done with each table.

    Searches that compare states are given a space where none is (`keep_for_states`).
    Only tables of at least `ROWS` rows, unless `every`. `target` and `mode` leave all else
    as it is; a mode, of changes where no target is named, is of vectors alone. The archive
    may be written to meanwhile: rows that come are searched beside the index.

    Raises:
        ArchiveError: no room on the disk, or another process is indexing.
        QueryError: no such target or mode, or the archive has none of it.
    """
    wanted = _wanted(target, mode)
    if target is not None or mode is not None:
        for one, _ in wanted:
            _tables.of_model(_tables.Opened(store), BASE[one], model)
    least = 1 if every else ROWS
    with WriterLock(kept.folder(store.root)).hold("index"):
        kept.remove_unfinished(store.root)
        said = []
        if model and any(names != (STEP,) for _, names in wanted):
            said += spacing.keep_for_states(store, model, quiet=quiet)
        for one, names in wanted if model else ():
            table = f"{BASE[one]}_{schema.suffix(model or '')}"
            if not store.exists(table):
                continue
            if (rows := store.count(table)) < least:
                said.append(_few(table, rows))
                continue
            space = spaces.of_search(store, model or "", steps=names == (STEP,))
            done = vectors.build(
                store, table, names, space, threads=threads, quiet=quiet
            )
            said.append(str(done))
        if mode is None:
            said += _columns(store, target, model, least, threads)
            columns.sweep(store)
        kept.remove_replaced(store)
    return list(dict.fromkeys(said))


def after_optimize(store: Store, model: str | None, *, threads: int) -> list[str]:
    """Index large tables; says nothing of small ones."""
    if all(store.count(table) < ROWS for table in store.tables()):
        return []
    try:
        return index(store, model, threads=threads, quiet=True)
    except ArchiveLockedError as error:
        return [f"not indexed: {error}"]


def _wanted(target: str | None, mode: str | None) -> list[tuple[str, tuple[str, ...]]]:
    """Targets and the columns that searches in them compare."""
    if target is not None:
        resolve(mode, target)
    targets = [target or "changes"] if mode or target else list(_MODES)
    return [
        (one, resolve(name, one).columns)
        for one in targets
        for name in ([mode] if mode else _MODES[one])
    ]


def _columns(
    store: Store, target: str | None, model: str | None, least: int, threads: int
) -> Iterator[str]:
    only = target and f"{BASE[target]}_{schema.suffix(model or '')}"
    for table in store.tables():
        if not form.covers(table) or only not in (None, table):
            continue
        if store.count(table) >= least:
            yield str(columns.build(store, table, threads=threads))


def _few(table: str, rows: int) -> str:
    return (
        f"{table}: {rows:,} rows are searched as quickly without an index, which begins at "
        f"{ROWS:,} (--all makes it)"
    )
