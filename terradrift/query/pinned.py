"""An archive as it was when its tables were opened."""

from pathlib import Path
from typing import TYPE_CHECKING

from terradrift.errors import ArchiveError
from terradrift.store.settings import Settings
from terradrift.store.tables import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lance


class Pinned(Store):
    """A store to read from: the tables opened, at their versions, whatever is written since."""

    def __init__(
        self, root: Path, held: Settings, opened: "Mapping[str, lance.LanceDataset]"
    ) -> None:
        super().__init__(root, held)
        self._pinned = dict(opened)

    @classmethod
    def of(cls, store: Store, opened: "Mapping[str, lance.LanceDataset]") -> "Pinned":
        """The store with its settings as they are now."""
        return cls(store.root, store.settings, opened)

    def exists(self, table: str) -> bool:
        """Whether the table was opened."""
        return table in self._pinned

    def tables(self) -> list[str]:
        """Names of the tables that were opened, sorted."""
        return sorted(self._pinned)

    def dataset(self, table: str, version: int | None = None) -> "lance.LanceDataset":
        """The table as it was opened.

        Raises:
            ArchiveError: it was not there, or another version is asked for.
        """
        if table not in self._pinned:
            there = ", ".join(self.tables()) or "no tables yet"
            raise ArchiveError(f"{self.root} has no table {table}; it has {there}")
        held = self._pinned[table]
        if version not in (None, held.version):
            raise ArchiveError(
                f"{table} is opened at version {held.version}, got {version}; open the "
                "archive anew for another"
            )
        return held
