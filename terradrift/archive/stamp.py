"""What a table was made from, in its own metadata, so that a verb need not run twice."""

import hashlib
from typing import Any

from terradrift import schema
from terradrift.store.names import IDENTITY
from terradrift.store.tables import Store

STAMP = b"terradrift:made_from"
"""Metadata key: the observations and the settings a table was made from."""
_UNIT = ("scene_id", "tile", "rows", "run_id")


def stamp_of(store: Store, table: str) -> bytes:
    """The stamp of a table, empty where it has none or is not there."""
    if not store.exists(table):
        return b""
    metadata = store.dataset(table).schema.metadata or {}
    found: bytes = metadata.get(STAMP, b"")
    return found


def observed(store: Store, model: str) -> dict[str, Any]:
    """Which observations of a model are stored, as long as they are the same.

    Rows, and a digest of the ledger, which names every unit and the run that embedded it,
    and of what the vectors are of. Not of versions or files: `optimize` changes these.

    Raises:
        ArchiveError: nothing is embedded under the model.
    """
    name = schema.suffix(model)
    table, ledger = f"embeddings_{name}", f"units_{name}"
    metadata = store.dataset(table).schema.metadata or {}
    about = [(key, metadata.get(key.encode(), b"").decode()) for key in IDENTITY]
    units = store.scan(ledger, list(_UNIT)).read_all().to_pylist()
    entries = sorted(repr([unit[column] for column in _UNIT]) for unit in units)
    told = "\n".join([repr(about), *entries])
    return {
        "embeddings": store.count(table),
        "units": hashlib.sha256(told.encode()).hexdigest(),
    }
