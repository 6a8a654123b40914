"""Make a table's file of columns: streaming, sorted on disk, there whole or not at all."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb

from terradrift import threads as _threads
from terradrift.errors import ArchiveError
from terradrift.query.columns import cover, files, form
from terradrift.query.columns.files import About, quoted
from terradrift.query.columns.fill import fill
from terradrift.store.disk import doing

if TYPE_CHECKING:
    import lance

    from terradrift.store.tables import Store

MEMORY_BYTES = 512 << 20
"""Memory of DuckDB while it sorts; the rest goes to a folder beside the file."""

_PART = ".columns-"


@dataclass(frozen=True, slots=True)
class Built:
    """What was made of one table."""

    table: str
    path: Path
    rows: int
    bytes: int
    seconds: float
    """0 where the file was there already."""

    def __str__(self) -> str:
        how = f"in {self.seconds:.1f} s" if self.seconds else "there already"
        return (
            f"{self.table}: columns of {self.rows:,} rows, "
            f"{self.bytes / 1e6:,.1f} MB, {how}"
        )


def build(
    store: "Store",
    table: str,
    *,
    threads: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Built:
    """Make the file of columns of `table` as it is now, and remove what it replaces.

    Needs no lock: it reads the version that it opened, whatever is written meanwhile.
    Memory stays near `memory_bytes` and some batches of rows; the disk must hold what the
    columns take twice.

    Raises:
        ArchiveError: no such table, a table without a file, patches that are there twice,
            or a folder that cannot be written.
    """
    start = time.perf_counter()
    dataset = store.dataset(table)
    try:
        laid = form.of(table, dataset.schema)
    except ValueError as error:
        raise ArchiveError(str(error)) from error
    patches = store.dataset("patches") if store.exists("patches") else None
    about = _about(table, dataset, patches if laid.places else None)
    target = files.path(store.root, table, _digest(about))
    if (held := _there(target)) is not None:
        _sweep(store.root, table, keep=target)
        return Built(table, target, held.rows, target.stat().st_size, 0.0)
    with doing(store.root, f"write {target.name}"):
        target.parent.mkdir(exist_ok=True)
        _sweep_parts(target.parent)
        with TemporaryDirectory(
            prefix=f"{_PART}{os.getpid()}-", dir=target.parent
        ) as folder:
            part = Path(folder) / target.name
            with _sorting(Path(folder), threads, memory_bytes) as connection:
                fill(connection, part, about, dataset, patches)
            _sync(part)
            files.log_of(target).unlink(missing_ok=True)
            part.replace(target)
        _sync(target.parent)
    _sweep(store.root, table, keep=target)
    seconds = time.perf_counter() - start
    return Built(table, target, about.rows, target.stat().st_size, seconds)


def sweep(store: "Store") -> int:
    """Remove files of tables that are gone, and what killed builds left; how many."""
    there = set(store.tables())
    gone = [
        file for file in files.listed(store.root) if files.table_of(file) not in there
    ]
    with doing(store.root, "remove files of columns"):
        for file in gone:
            file.unlink(missing_ok=True)
        return len(gone) + _sweep_parts(store.root / files.FOLDER)


def _about(
    table: str, dataset: "lance.LanceDataset", patches: "lance.LanceDataset | None"
) -> About:
    return About(
        table=table,
        columns=files.types(dataset.schema),
        rows=dataset.count_rows(),
        covered=cover.covered(dataset),
        places=None if patches is None else cover.covered(patches),
        complete=True,
    )


def _digest(about: About) -> str:
    return hashlib.sha256(repr(about.items()).encode()).hexdigest()[:16]


def _there(target: Path) -> About | None:
    if not target.exists():
        return None
    try:
        return files.examine(target)
    except ArchiveError:  # damaged: made anew
        return None


@contextmanager
def _sorting(
    folder: Path, threads: int | None, memory_bytes: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An instance that sorts in `folder` what does not fit in memory."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"SET threads = {_threads.resolve(threads):d}")
        connection.execute(f"SET memory_limit = '{memory_bytes:d}B'")
        connection.execute(f"SET temp_directory = {quoted(str(folder / 'sorting'))}")
        connection.execute("SET TimeZone = 'UTC'")
        try:
            yield connection
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise OSError(str(error).splitlines()[0]) from error


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _sweep(root: Path, table: str, keep: Path) -> None:
    """Remove other files of `table`; whoever reads one keeps it until it is closed."""
    with doing(root, f"remove files of columns of {table}"):
        for file in files.listed(root, table):
            if file != keep:
                file.unlink(missing_ok=True)


def _sweep_parts(folder: Path) -> int:
    """Remove what builds left that were killed; how many."""
    left = [part for part in folder.glob(f"{_PART}*") if not _alive(part)]
    for part in left:
        shutil.rmtree(part, ignore_errors=True)
    return len(left)


def _alive(part: Path) -> bool:
    try:
        os.kill(int(part.name.removeprefix(_PART).split("-")[0]), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # another user's process
        return True
    return True
