"""What all verbs stand on: the store, and the current model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terradrift.store.tables import Store


DEFAULT_MODEL = "mosaiks"


class Base:
    """The store of an archive, and the model that its views speak of."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{self.store.count(table):,} {table}"
            for table in ("scenes", "patches")
            if self.store.exists(table)
        )
        return f"Archive({str(self.store.root)!r}: {counts or 'empty'})"

    def _repr_html_(self) -> str:
        from terradrift.archive import showing

        return showing.card(self.store, self.model)

    @property
    def model(self) -> str:
        """The model that SQL's views and the later verbs speak of."""
        return self.store.settings.model or DEFAULT_MODEL
