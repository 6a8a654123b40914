"""Finding a table's file of columns, and telling whether it may be used."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from terradrift.errors import ArchiveError
from terradrift.query.columns import cover
from terradrift.query.index.covered import Covered

if TYPE_CHECKING:
    import lance
    import pyarrow as pa

FORMAT = "terradrift-columns/1"
FOLDER = "index"
_PREFIX = "columns."
_ENDING = ".duckdb"
_HEADERS_BYTES = 3 * 4096
"""What stands before the blocks of a DuckDB file."""


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself."""

    table: str
    columns: tuple[tuple[str, str], ...]
    """Name and Arrow type of each column of the table, vectors too."""
    rows: int
    covered: Covered
    places: Covered | None
    """Fragments of `patches` that places were taken from; None where none were."""
    complete: bool
    """Whether every patch had its place there."""

    def items(self) -> list[tuple[str, str]]:
        """As rows of the table `_about`."""
        return [
            ("format", FORMAT),
            ("table", self.table),
            ("columns", json.dumps(self.columns)),
            ("rows", str(self.rows)),
            ("covered", self.covered.text),
            ("places", self.places.text if self.places else ""),
            ("complete", json.dumps(self.complete)),
        ]

    @classmethod
    def parse(cls, said: Mapping[str, str]) -> "About":
        """What `items` made rows of.

        Raises:
            ValueError: it is something else.
        """
        try:
            return cls(
                table=said["table"],
                columns=tuple((str(a), str(b)) for a, b in json.loads(said["columns"])),
                rows=int(said["rows"]),
                covered=Covered.parse(said["covered"]),
                places=Covered.parse(said["places"]) if said["places"] else None,
                complete=bool(json.loads(said["complete"])),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected what {FORMAT} says, got {error}") from error


@dataclass(frozen=True, slots=True)
class Held:
    """A file that may be used."""

    path: Path
    about: About
    fresh: tuple[int, ...]
    """Ids of the table's fragments that it does not cover."""

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size


def path(root: Path, table: str, digest: str) -> Path:
    """The file of a table that covers what `digest` says."""
    return root / FOLDER / f"{_PREFIX}{table}.{digest}{_ENDING}"


def listed(root: Path, table: str | None = None) -> list[Path]:
    """The files of a table, or of all tables, by name; whether of use or not."""
    start = f"{_PREFIX}{table}." if table else _PREFIX
    folder = root / FOLDER
    try:  # by name: a pattern costs five times it, at each question
        with os.scandir(folder) as inside:
            found = sorted(entry.name for entry in inside)
    except OSError:
        return []
    return [
        folder / name
        for name in found
        if name.startswith(start) and name.endswith(_ENDING)
    ]


def table_of(file: Path) -> str:
    """The table that a file's name tells."""
    return file.name.removeprefix(_PREFIX).rsplit(".", 2)[0]


def find(
    root: Path, table: str, tables: "Mapping[str, lance.LanceDataset]"
) -> tuple[Held | None, list[str]]:
    """The file that covers most of `table` as it is opened, and why others do not serve."""
    reasons: list[str] = []
    found: list[Held] = []
    for file in listed(root, table):
        try:
            found.append(_held(file, table, tables))
        except ArchiveError as error:
            reasons.append(str(error))
    best = max(found, key=lambda held: held.about.covered.rows, default=None)
    return best, reasons


def told(root: Path, tables: "Mapping[str, lance.LanceDataset]") -> dict[str, str]:
    """Of each table that has a file: rows that it covers, or why it is not used."""
    found = {}
    for table in tables:
        if not listed(root, table):
            continue
        held, reasons = find(root, table, tables)
        if held is not None:
            rows = tables[table].count_rows()
            found[table] = (
                f"{held.about.rows:,} of {rows:,} rows, {held.bytes / 1e6:,.1f} MB"
            )
        elif reasons:
            found[table] = reasons[-1]
    return found


def types(schema: "pa.Schema") -> tuple[tuple[str, str], ...]:
    """Name and type of each column."""
    return tuple((field.name, str(field.type)) for field in schema)


def _held(file: Path, table: str, tables: "Mapping[str, lance.LanceDataset]") -> Held:
    about = examine(file)
    dataset = tables[table]
    if about.table != table or about.columns != types(dataset.schema):
        raise _unfit(file, "is of other columns than the table has")
    fresh = cover.fresh(about.covered, dataset)
    if fresh is None:
        raise _unfit(file, f"is of rows of {table} that were replaced since")
    if about.places is not None:
        patches = tables.get("patches")
        newer = None if patches is None else cover.fresh(about.places, patches)
        if newer is None or (newer and not about.complete):
            raise _unfit(file, "is of places that were replaced since")
    return Held(file, about, fresh)


def examine(file: Path) -> About:
    """What `file` says of itself.

    Raises:
        ArchiveError: it is not whole, or not a file of columns of this version.
    """
    try:
        stat = file.stat()
    except OSError as error:
        raise _unfit(file, f"cannot be read ({error.strerror})") from error
    if log_of(file).exists():
        raise _unfit(file, f"has a log {log_of(file).name} beside, which is not ours")
    return _examined(file, stat.st_size, stat.st_mtime_ns)


def log_of(file: Path) -> Path:
    """Where DuckDB would look for changes that are not in `file` yet."""
    return file.with_name(f"{file.name}.wal")


@lru_cache(maxsize=256)
def _examined(file: Path, size: int, _changed: int) -> About:
    """In an instance of its own: a damaged file may leave an instance unusable."""
    with duckdb.connect(":memory:") as connection:
        try:
            connection.execute(f"ATTACH {quoted(str(file))} AS held (READ_ONLY)")
            said = connection.execute("SELECT key, value FROM held._about").fetchall()
            sizes = connection.execute(
                "SELECT block_size * total_blocks FROM pragma_database_size() "
                "WHERE database_name = 'held'"
            ).fetchone()
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise _unfit(file, f"is not a file of columns ({first})") from error
    given = dict(said)
    if given.get("format") != FORMAT:
        raise _unfit(file, f"is of the format {given.get('format')}, not {FORMAT}")
    expected = (sizes[0] if sizes else 0) + _HEADERS_BYTES
    if size < expected:
        raise _unfit(file, f"is cut off at {size:,} of {expected:,} bytes")
    try:
        return About.parse(given)
    except ValueError as error:
        raise _unfit(file, f"is not a file of columns ({error})") from error


def quoted(text: str) -> str:
    """`text` as a string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _unfit(file: Path, why: str) -> ArchiveError:
    return ArchiveError(
        f"{file.name} {why}; it is not used, run terradrift index to make it anew"
    )
