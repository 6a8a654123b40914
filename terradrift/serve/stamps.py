"""What tells tables as they are now from what they were, asked for with every question."""

import os
import time
from typing import TypeAlias

from terradrift.serve.steady import LIVE
from terradrift.store import names
from terradrift.store.tables import Store

Stamp: TypeAlias = tuple[int, int, int]
"""What tells a table at one version from any other: see `Store.stamp`."""

_SUFFIX = ".lance"
_SETTLED_NS = 2 * 10**9
"""A folder that changed so long ago would show it if it changed again: clocks of file
systems tick in milliseconds, some in seconds."""


class Stamps:
    """Stamps of a store's tables; opens none.

    A commit adds a file to the table's folder of versions, so while that folder is as it was
    its thousands of files are not listed again. Safe in many threads.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[tuple[int, int], Stamp]] = {}

    def now(self) -> dict[str, Stamp]:
        """Of each table that is there and is part of a generation."""
        found: dict[str, Stamp] = {}
        for table in self._tables():
            stamp = self._of(table)
            if stamp is not None:
                found[table] = stamp
        return found

    def _tables(self) -> list[str]:
        try:
            inside = os.listdir(self._store.root)  # noqa: PTH208 - asked for very often
        except FileNotFoundError:
            return []
        tables = (name.removesuffix(_SUFFIX) for name in inside if name[-6:] == _SUFFIX)
        return sorted(name for name in tables if name not in LIVE and names.known(name))

    def _of(self, table: str) -> Stamp | None:
        try:
            folder = (self._store.path(table) / "_versions").stat()
        except FileNotFoundError:
            return None
        told = folder.st_ino, folder.st_mtime_ns
        held = self._seen.get(table)
        if held is not None and held[0] == told:
            return held[1]
        settled = time.time_ns() - folder.st_mtime_ns > _SETTLED_NS
        stamp = self._store.stamp(table)
        if settled and stamp is not None:
            self._seen[table] = told, stamp
        return stamp
