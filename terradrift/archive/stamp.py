"""What a table was made from, in its own metadata, so that a verb need not run twice."""

from terradrift.store.tables import Store

STAMP = b"terradrift:made_from"
"""Metadata key: the observations and the settings a table was made from."""


def stamp_of(store: Store, table: str) -> bytes:
    """The stamp of a table, empty where it has none or is not there."""
    if not store.exists(table):
        return b""
    metadata = store.dataset(table).schema.metadata or {}
    found: bytes = metadata.get(STAMP, b"")
    return found
