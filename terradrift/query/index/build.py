"""Make the files of one index from the newest version of a table, without its lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from terradrift.errors import ArchiveError
from terradrift.progress import stage
from terradrift.query.index import codes, files, flat, lists
from terradrift.query.index.covered import covered
from terradrift.query.index.frame import Frame

if TYPE_CHECKING:
    from pathlib import Path

    from terradrift.query.index.flat import Flat
    from terradrift.query.index.protocol import Recall
    from terradrift.space import Space
    from terradrift.store.tables import Store


_MOST = (1 << 31) - 1
"""Positions in lists are of 32 bits."""


@dataclass(frozen=True, slots=True)
class Built:
    """One index that is there now."""

    table: str
    columns: tuple[str, ...]
    space: str
    rows: int
    bytes: int
    made: bool
    """Whether it had to be made."""
    recall: tuple[Recall, ...]

    def __str__(self) -> str:
        how = "indexed" if self.made else "indexed already"
        said = f"{self.table} {'+'.join(self.columns)} in {self.space}: {self.rows:,} rows {how}"
        recall = "; ".join(map(str, self.recall))
        return f"{said}, {self.bytes / 1e6:,.1f} MB{', ' * bool(recall)}{recall}"


def build(
    store: Store,
    table: str,
    columns: tuple[str, ...],
    space: Space | None,
    *,
    threads: int = 1,
    quiet: bool = False,
) -> Built:
    """Index `columns` of the table in `space`, as far as that is not done.

    Raises:
        ArchiveError: no such table, more rows than positions tell, or no room on the disk.
    """
    dataset = store.dataset(table)
    now = covered(dataset)
    if now.rows > _MOST:
        raise ArchiveError(
            f"expected at most {_MOST:,} rows to index, {table} has {now.rows:,}; searches "
            "compare every row, or those that pass a condition"
        )
    dimensions = int(dataset.schema.field(columns[0]).type.list_size)
    frame = Frame(columns, dimensions, space)
    flats: list[Flat] = []
    paths: list[Path] = []
    made = False
    for column in columns:
        path = files.flat(store.root, table, column, now.digest)
        if not _whole(path, flat.read):
            made = True
            name = f"copy {table} {column}"
            with stage(name, dataset.count_rows(), "rows", quiet=quiet) as advance:
                flat.write(path, dataset, now, column, advance)
        flats.append(flat.read(path)[0])
        paths.append(path)
    path = files.codes(store.root, table, columns, frame.label, now.digest)
    if not _whole(path, codes.read):
        made = True
        name = f"index {table} {'+'.join(columns)}"
        with stage(name, now.rows, "rows", quiet=quiet) as advance:
            lists.write(path, now, frame, flats, threads=threads, advance=advance)
    found, _ = codes.read(path)
    return Built(
        table=table,
        columns=columns,
        space=frame.label,
        rows=now.rows,
        bytes=sum(one.stat().st_size for one in (*paths, path)),
        made=made,
        recall=found.recalls,
    )


def _whole(path: Path, read: object) -> bool:
    """Whether the file is there and can be read; one that cannot is made anew."""
    try:
        return path.exists() and bool(read(path))  # type: ignore[operator]
    except ArchiveError:
        return False
