"""A store that shows tables as they were opened, and what people say as it is now."""

from typing import TYPE_CHECKING

from terradrift.query.pinned import Pinned
from terradrift.store.tables import Store

if TYPE_CHECKING:
    import lance

LIVE = ("labels", "runs")
"""Tables that are never part of a generation: a label shows as soon as it is said."""


class Steady(Pinned):
    """A `Pinned` store, but for `LIVE` tables, which it also may add to."""

    def exists(self, table: str) -> bool:
        """Whether the table was opened, or of `LIVE` ones is there now."""
        return Store.exists(self, table) if table in LIVE else super().exists(table)

    def tables(self) -> list[str]:
        """Names of all of these, sorted."""
        live = [table for table in LIVE if self.exists(table)]
        return sorted({*super().tables(), *live})

    def dataset(self, table: str, version: int | None = None) -> "lance.LanceDataset":
        """The table as it was opened; `LIVE` ones as they are now.

        Raises:
            ArchiveError: it was not there, or another version is asked for.
        """
        if table in LIVE:
            return Store.dataset(self, table, version)
        return super().dataset(table, version)
