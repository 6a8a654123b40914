"""Ways to an `Archive`: make a new one, or open one that is there."""

from pathlib import Path

from terradrift.archive.front import Archive
from terradrift.grid import Grid
from terradrift.store.tables import Settings, Store


def create(path: str | Path, grid: Grid | None = None) -> Archive:
    """Make a new, empty archive.

    Raises:
        ArchiveError: the folder holds an archive or something else, or cannot be written.
    """
    return Archive(Store.create(path, Settings(grid=grid or Grid())))


def open_archive(path: str | Path) -> Archive:
    """Open an archive.

    Raises:
        ArchiveError: no archive there, or one that this version cannot read.
    """
    return Archive(Store.open(path))
