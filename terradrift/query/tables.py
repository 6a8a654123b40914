"""The tables of one model, as searches need them."""

import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.store import names

if TYPE_CHECKING:
    import lance
    import pyarrow as pa

    from terradrift.store.tables import Store

    Tables = Mapping[str, "lance.LanceDataset"]

_MADE_BY = {"changes": "detect", "embeddings": "embed", "patches": "ingest"}


class Opened(Mapping[str, "lance.LanceDataset"]):
    """The tables of a store, each opened when it is first asked for, for reading alone.

    A search that asks for one table need not wait for twenty.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._held: dict[str, lance.LanceDataset] = {}

    @property
    def store(self) -> "Store":
        """Whose tables they are."""
        return self._store

    @cached_property
    def _names(self) -> list[str]:
        return self._store.tables()

    def __getitem__(self, name: str) -> "lance.LanceDataset":
        if name not in self._held:
            if not self._there(name):
                raise KeyError(name)
            self._held[name] = self._store.opened(name)
        return self._held[name]

    def __contains__(self, name: object) -> bool:
        return name in self._held or (isinstance(name, str) and self._there(name))

    def _there(self, name: str) -> bool:
        return names.known(name) and self._store.exists(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def of_model(tables: "Tables", base: str, model: str | None) -> "lance.LanceDataset":
    """The table `base` of `model`.

    Raises:
        QueryError: it is not there; the message says what makes it.
    """
    if model is None:
        raise QueryError("the archive has no model yet; run terradrift embed first")
    name = f"{base}_{schema.suffix(model)}"
    if name not in tables:
        held = sorted(other for other in tables if other.startswith(f"{base}_"))
        raise QueryError(
            f"the archive has no {base} of {model}, it has "
            f"{', '.join(held) or 'none of any model'}; run terradrift {_MADE_BY[base]} first"
        )
    return tables[name]


_SCHEMAS: "weakref.WeakKeyDictionary[lance.LanceDataset, pa.Schema]" = (
    weakref.WeakKeyDictionary()
)


def schema_of(table: "lance.LanceDataset") -> "pa.Schema":
    """The table's columns, which Lance makes anew each time that it is asked for them.

    `table` is never written through (`Store.opened`).
    """
    if (found := _SCHEMAS.get(table)) is None:
        found = _SCHEMAS[table] = table.schema
    return found


def dimensions(table: "lance.LanceDataset", column: str) -> int:
    """Length of the vectors in `column`."""
    return int(schema_of(table).field(column).type.list_size)


def literal(text: str) -> str:
    """`text` as a string literal of Lance's SQL."""
    return "'" + text.replace("'", "''") + "'"
