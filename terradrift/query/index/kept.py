"""Files of indexes as they lie there: what they are of, and removing what is of no use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from terradrift.errors import ArchiveError
from terradrift.query.index import codes, files
from terradrift.query.index.covered import covered
from terradrift.query.search.nearest import STEP
from terradrift.space import RAW
from terradrift.store import spaces
from terradrift.store.disk import doing

if TYPE_CHECKING:
    from pathlib import Path

    from terradrift.query.index.covered import Covered
    from terradrift.store.tables import Store


@dataclass(frozen=True, slots=True)
class Told:
    """An index of vectors, for people."""

    name: str
    """Table, columns and space."""
    covered: int
    """Rows of the table's newest version that it covers."""
    rows: int
    """Rows of that version."""
    bytes: int
    recall: str

    def __str__(self) -> str:
        stale = (
            "" if self.covered == self.rows else "; terradrift index covers the rest"
        )
        return (
            f"{self.covered:,} of {self.rows:,} rows, {self.bytes / 1e6:,.1f} MB, "
            f"{self.recall}{stale}"
        )


def folder(root: Path) -> Path:
    """Where indexes lie; made where it is not there.

    Raises:
        ArchiveError: it cannot be made.
    """
    found = root / files.FOLDER
    with doing(root, "make the folder of indexes"):
        found.mkdir(exist_ok=True)
    return found


def remove_unfinished(root: Path) -> None:
    """Remove what killed processes left; only for who holds the lock of the folder."""
    for path in (root / files.FOLDER).glob(f"*.{files.ENDING}.*.tmp"):
        path.unlink(missing_ok=True)


def remove_replaced(store: Store) -> None:
    """Remove files that are of no use any more; who has them open can finish.

    Those of tables that are gone, of spaces that vectors are no longer compared in, and
    those that a newer file of the same name replaces.
    """
    now = {table: _now(store, table) for table in store.tables()}
    found = [name for name in map(files.parse, _all(store.root)) if name is not None]
    fresh = {name.what for name in found if name.digest == _digest(now.get(name.table))}
    for name in found:
        model, steps = name.table.partition("_")[2], name.columns == STEP
        current = spaces.label_of_search(store, model, steps=steps)
        if steps and current.startswith("centre/"):
            current = RAW  # a step has no place, so there is nothing to take off
        gone = now.get(name.table) is None
        left = name.space not in (None, current)
        old = name.digest != _digest(now.get(name.table)) and name.what in fresh
        if gone or left or old:
            name.path.unlink(missing_ok=True)


def told(store: Store) -> list[Told]:
    """Every index of vectors that is there, and how much of its table it covers."""
    found = []
    for path in sorted(_all(store.root)):
        name = files.parse(path)
        if name is None or name.space is None or not store.exists(name.table):
            continue
        try:
            lists, held = codes.read(path)
        except ArchiveError as error:
            found.append(Told(name.what, 0, store.count(name.table), 0, str(error)))
            continue
        now = covered(store.dataset(name.table)).fragments
        columns = name.columns.split("+")
        flats = [files.flat(store.root, name.table, c, name.digest) for c in columns]
        sizes = [one.stat().st_size for one in (path, *flats) if one.exists()]
        recall = [str(one) for one in lists.recalls[:1]]
        found.append(
            Told(
                f"{name.table} {name.columns} in {name.space}",
                sum(part.rows for part in held.fragments if part in now),
                sum(part.rows for part in now),
                sum(sizes),
                ", ".join(recall),
            )
        )
    return found


def _all(root: Path) -> list[Path]:
    return list((root / files.FOLDER).glob(f"*.{files.ENDING}"))


def _now(store: Store, table: str) -> Covered:
    return covered(store.dataset(table))


def _digest(found: Covered | None) -> str | None:
    return None if found is None else found.digest
