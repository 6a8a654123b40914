"""The archive's tables: Lance datasets in one folder, every schema checked at the door.

Readers never wait: they see the version they opened. Writers hold the archive's lock, and
each write is one Lance commit: there whole, or not at all.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple

import lance
import pyarrow as pa

from terradrift import schema
from terradrift.errors import ArchiveError, SchemaError
from terradrift.store import names, settings
from terradrift.store.disk import doing
from terradrift.store.door import BATCH_ROWS, Incoming, Rows, conform
from terradrift.store.lock import NAME as LOCK
from terradrift.store.lock import WriterLock
from terradrift.store.settings import Settings

__all__ = ["Settings", "Store"]

DATA_STORAGE_VERSION: Literal["2.1"] = "2.1"
"""Lance file format; with the field metadata of `schema.vector` it scans at several GB/s."""

MAX_ROWS_PER_FILE = 1 << 20

_MADE_ANEW: Mapping[str, tuple[Callable[[], pa.Schema], str]] = {
    "scores": (schema.scores, "detect"),
    "changes": (lambda: schema.changes(1), "detect"),
    "patch_changes": (schema.patch_changes, "detect"),
    "events": (schema.events, "detect"),
    "kinds": (schema.kinds, "cluster"),
}
"""Tables that a verb makes anew, whatever form they had."""

_SUFFIX = ".lance"
_LAST, _DIGITS = 2**64 - 1, 20
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Store:
    """One archive: `archive.json` and a Lance dataset per table, in one local folder."""

    def __init__(self, root: Path, held: Settings) -> None:
        self.root = root
        self._settings = held
        self._lock = WriterLock(root)
        self._opened: dict[str, tuple[_Manifest, lance.LanceDataset]] = {}

    @classmethod
    def create(cls, path: str | Path, held: Settings) -> "Store":
        """Make an archive in a new or empty folder.

        Raises:
            ArchiveError: the folder holds something, is remote, or cannot be written.
        """
        root = _local(path)
        try:
            root.mkdir(parents=True, exist_ok=True)
            inside = sorted(
                entry.name for entry in root.iterdir() if not _leftover(entry.name)
            )
        except FileExistsError as error:
            raise ArchiveError(
                f"expected a folder for the archive, got the file {root}"
            ) from error
        except OSError as error:
            raise ArchiveError(
                f"cannot make the archive {root}: {error.strerror}"
            ) from error
        if settings.NAME in inside:
            raise ArchiveError(f"{root} already is an archive; open it instead")
        if inside:
            raise ArchiveError(
                f"expected a new or empty folder for the archive, {root} holds "
                f"{inside[0]}; choose another path"
            )
        settings.write(root, held)
        return cls(root, held)

    @classmethod
    def open(cls, path: str | Path) -> "Store":
        """Open the archive at `path`.

        Raises:
            ArchiveError: nothing there, not an archive, of another format, or remote.
        """
        root = _local(path)
        return cls(root, settings.read(root))

    @property
    def settings(self) -> Settings:
        """What holds for every row of the archive."""
        return self._settings

    def update(self, held: Settings) -> None:
        """Replace the settings, atomically."""
        with self.lock("update"):
            settings.write(self.root, held)
            self._settings = held

    def lock(self, verb: str) -> AbstractContextManager[None]:
        """The right to write, held inside a `with` block; nested blocks share it.

        Raises:
            ArchiveLockedError: another writer holds it; the message names it.
        """
        return self._lock.hold(verb)

    def path(self, table: str) -> Path:
        """Folder of the table's Lance dataset, whether there or not."""
        names.kind(table)
        return self.root / f"{table}{_SUFFIX}"

    def exists(self, table: str) -> bool:
        """Whether the table was ever committed to."""
        versions = self.path(table) / "_versions"
        return versions.is_dir() and any(versions.glob("*.manifest"))

    def tables(self) -> list[str]:
        """Names of the tables that are there, sorted; what is no table of ours is not."""
        found = (entry.stem for entry in self.root.glob(f"*{_SUFFIX}"))
        return sorted(name for name in found if names.known(name) and self.exists(name))

    def dataset(self, table: str, version: int | None = None) -> lance.LanceDataset:
        """The table's newest version, or the one asked for; its schema is checked.

        Raises:
            ArchiveError: no such table.
            SchemaError: the table is not of the schema that this terradrift reads.
        """
        if not self.exists(table):
            there = ", ".join(self.tables()) or "no tables yet"
            raise ArchiveError(f"{self.root} has no table {table}; it has {there}")
        with doing(self.root, f"read {table}"):
            found = lance.dataset(str(self.path(table)), version=version)
        _check_form(table, found.schema)
        names.expected(table, found.schema)
        return found

    def stamp(self, table: str) -> tuple[int, int, int] | None:
        """What tells the table as it is now from any other; opens nothing. None: not there."""
        return _newest(self.path(table))

    def opened(self, table: str) -> lance.LanceDataset:
        """As `dataset`, for reading alone: the same object until the table changes.

        What is written through it would show in every reader that was handed it, so
        whoever writes opens a `dataset` of its own.

        Raises: as `dataset`.
        """
        newest = _newest(self.path(table))
        held = self._opened.get(table)
        if held is None or newest is None or held[0] != newest:
            found = self.dataset(table)
            if newest is None or newest.version != found.version:
                return found  # somebody writes: it is not known what was opened
            held = self._opened[table] = newest, found
        return held[1]

    def count(self, table: str, where: str | None = None) -> int:
        """Rows of the table, or those for which the SQL condition holds."""
        found = self.dataset(table)
        with doing(self.root, f"read {table}"):
            return int(found.count_rows(where))

    def scan(
        self,
        table: str,
        columns: list[str] | None = None,
        filter: str | None = None,  # noqa: A002 - Lance's and Arrow's own name for it
        batch_size: int = BATCH_ROWS,
    ) -> pa.RecordBatchReader:
        """Stream the table's newest version in its stored order; `filter` is SQL."""
        found = self.dataset(table)
        with doing(self.root, f"read {table}"):
            reader: pa.RecordBatchReader = found.scanner(
                columns=columns, filter=filter, batch_size=batch_size
            ).to_reader()
        return reader

    def append(
        self,
        table: str,
        rows: Rows,
        columns: pa.Schema | None = None,
        *,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Add rows in one commit; makes the table where it is not there yet.

        `columns` is the schema of `rows` where they are an iterable of batches.
        `properties` are kept with the commit itself (Lance transaction properties).

        Raises:
            SchemaError: the rows, or the table, are not of the table's schema.
            ModelMismatchError: embeddings of another model than the table's.
            ArchiveError: they cannot be written; the table is as it was.
        """
        incoming = conform(table, rows, columns)
        with self.lock(f"append to {table}"):
            mode = "create"
            if self.exists(table):
                self._check_same(table, incoming.columns)
                mode = "append"
            self._write(table, incoming, mode, properties)

    def overwrite(
        self,
        table: str,
        rows: Rows,
        columns: pa.Schema | None = None,
        *,
        max_rows_per_file: int = MAX_ROWS_PER_FILE,
    ) -> None:
        """Replace all rows in one commit, streaming; readers keep what they opened.

        Raises: as `append`.
        """
        incoming = conform(table, rows, columns)
        with self.lock(f"overwrite {table}"):
            mode = "create"
            if self.exists(table):
                names.expected(table, incoming.columns)
                mode = "overwrite"
            self._write(table, incoming, mode, None, max_rows_per_file)

    def drop(self, table: str) -> None:
        """Remove the table with its history, where it is there."""
        with self.lock(f"drop {table}"):
            if self.path(table).exists():
                with doing(self.root, f"remove {table}"):
                    lance.LanceDataset.drop(str(self.path(table)))

    def _check_same(self, table: str, given: pa.Schema) -> None:
        held = self.dataset(table).schema
        if names.kind(table) == "embeddings":
            names.check_model(held, given, table)
        schema.check(given, names.expected(table, held), table)

    def _write(
        self,
        table: str,
        incoming: Incoming,
        mode: str,
        properties: Mapping[str, str] | None,
        max_rows_per_file: int = MAX_ROWS_PER_FILE,
    ) -> None:
        try:
            with doing(self.root, f"write {table}"):
                lance.write_dataset(
                    incoming.reader(),
                    str(self.path(table)),
                    schema=incoming.columns,
                    mode=mode,
                    max_rows_per_file=max_rows_per_file,
                    data_storage_version=DATA_STORAGE_VERSION,
                    transaction_properties=dict(properties or {}),
                )
        except ArchiveError:
            if incoming.failed:
                raise incoming.failed[0] from None
            raise


class _Manifest(NamedTuple):
    """The file of a table's version; its stamp tells a table that was made anew."""

    version: int
    inode: int
    modified_ns: int


def _newest(table: Path) -> _Manifest | None:
    """The newest manifest, without opening the table; None where there is none."""
    found = max(
        (
            (_version(name), name)
            for name in _names(table / "_versions")
            if name.endswith(".manifest") and name.split(".")[0].isdigit()
        ),
        default=None,
    )
    if found is None:
        return None
    version, name = found
    try:
        told = (table / "_versions" / name).stat()
    except FileNotFoundError:
        return None
    return _Manifest(version, told.st_ino, told.st_mtime_ns)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names alone: this is asked per search
    except FileNotFoundError:
        return []


def _version(manifest: str) -> int:
    """The version of a manifest's name: Lance counts down from 2^64 - 1, in 20 digits."""
    digits = manifest.split(".", maxsplit=1)[0]
    return _LAST - int(digits) if len(digits) == _DIGITS else int(digits)


def _check_form(table: str, held: pa.Schema) -> None:
    """Say first what to do about a table of an earlier form; its columns matter little."""
    made = schema.name(held)
    if (anew := _MADE_ANEW.get(names.kind(table))) is None or not made:
        return
    build, verb = anew
    if made != schema.name(build()):
        raise SchemaError(
            f"{table} was made by another version of terradrift; run terradrift {verb} to "
            f"make it anew (expected {schema.name(build())}, got {made})"
        )


def _leftover(name: str) -> bool:
    """Whether a process that was killed while making an archive may have left the file."""
    return name == LOCK or settings.is_temporary(name)


def _local(path: str | Path) -> Path:
    """The one place where a path becomes the archive's root."""
    if _URI.match(str(path)):
        raise ArchiveError(
            f"expected a local path for the archive, got {path}; "
            "keep the archive on a local disk and copy or export it from there"
        )
    return Path(path).expanduser().resolve()
