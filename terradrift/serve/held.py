"""The archive that is served: one generation at a time, and whether there is a newer one."""

import hashlib
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import lance
from shapely.geometry.base import BaseGeometry

from terradrift import schema
from terradrift.archive import Archive
from terradrift.errors import TerradriftError
from terradrift.serve.columns.named import Matches, Named
from terradrift.serve.faults import Gone
from terradrift.serve.kept import Kept, nbytes
from terradrift.serve.stamps import Stamp, Stamps
from terradrift.serve.steady import Steady
from terradrift.store import settings
from terradrift.store.tables import Store

KEPT = 4
"""Generations that are kept: pages that are open go on with theirs until they move on."""

_TRIES = 20
"""Openings until one finds no table replaced meanwhile."""

_COLUMNS_BYTES = 1 << 30
"""Of narrow columns that are kept: some three generations of a million changes."""

_Made = TypeVar("_Made")


@dataclass(frozen=True, eq=False)
class Generation:
    """What the archive held when it was opened, under a name that tiles are cached by.

    `archive` goes on to answer from the tables as they were opened, whatever is written
    since; labels and runs alone are as they are now.
    """

    version: str
    """Letters and digits; another one whenever a table changed."""
    archive: Archive
    model: str
    """Whose changes are shown."""
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    """Of each table; what was made of tables whose stamps are the same need not be made anew."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """For what is made once per generation."""
    _made: dict[Hashable, Any] = field(default_factory=dict)

    @cached_property
    def versions(self) -> dict[str, int]:
        """Of each table, Lance's number of what was opened."""
        store = self.archive.store
        return {table: store.dataset(table).version for table in self.stamps}

    def table(self, base: str) -> str:
        """Name of the model's table, such as `changes_mosaiks` of `changes`."""
        return f"{base}_{schema.suffix(self.model)}"

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What `make` gives, made when it is first asked for in this generation."""
        with self.lock:
            if key not in self._made:
                self._made[key] = make()
            made: _Made = self._made[key]
            return made


@dataclass(eq=False)
class Held:
    """Hands out generations; safe to use from many threads."""

    root: Path
    model: str | None = None
    """None: the archive's own."""
    read_only: bool = False
    who: str | None = None
    """Whose labels are written."""
    columns: Kept = field(default_factory=lambda: Kept(_COLUMNS_BYTES, nbytes))
    """Narrow columns by table and stamp: generations that differ elsewhere share them."""
    regions: Named[BaseGeometry] = field(
        default_factory=lambda: Named("the region", "draw it again")
    )
    searches: Named[Matches] = field(
        default_factory=lambda: Named("the search", "search again")
    )
    shared: dict[Hashable, Any] = field(default_factory=dict)
    """What several routes of one server share, by keys of their own."""
    _kept: dict[str, Generation] = field(default_factory=dict)
    _named: dict[str, float] = field(default_factory=dict)
    """When each was last asked for by its name."""
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def store(self) -> Store:
        """The archive as it is at any time; opens a table once until it changes."""
        return Store.open(self.root)

    @cached_property
    def _stamps(self) -> Stamps:
        return Stamps(self.store)

    def newest(self) -> Generation:
        """The archive as it is now.

        Raises:
            ArchiveError: it is not there any more, or cannot be read.
        """
        with self._opening:
            version = self.version_now()
            with self._changing:
                found = self._kept.get(version)
            if found is None:
                found = self._open()
                with self._changing:
                    self._keep(found)
            return found

    def at(self, version: str | None) -> Generation:
        """The generation of that name; without one the archive as it is now.

        Raises:
            Gone: it is not kept any more; the page must be loaded anew.
        """
        if version is None:
            return self.newest()
        with self._changing:
            found = self._kept.get(version)
            if found is not None:
                self._named[version] = time.monotonic()
                return found
        raise Gone("newer data are shown by now; load the page anew")

    def stamps(self) -> dict[str, Stamp]:
        """Of each table that is there and is part of a generation; opens none."""
        return self._stamps.now()

    def version_now(self) -> str:
        """The name of what the archive holds now; opens no table."""
        return self._version(self.stamps())

    def _version(self, stamps: Mapping[str, Stamp]) -> str:
        try:
            about = (self.store.root / settings.NAME).stat()
        except FileNotFoundError:
            settings.read(self.store.root)  # says what there is instead
            raise
        # A copy keeps the time of its contents and may get the number of what was removed.
        told = [f"{self.model} {about.st_ino} {about.st_mtime_ns} {about.st_ctime_ns}"]
        told += [f"{table} {stamp}" for table, stamp in sorted(stamps.items())]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]

    def _open(self) -> Generation:
        """All tables as they are at one instant: none is replaced while others are opened."""
        for left in reversed(range(_TRIES)):
            stamps = self.stamps()
            version = self._version(stamps)
            try:
                tables = {table: self.store.opened(table) for table in stamps}
            except TerradriftError:
                if not left or self.stamps() == stamps:  # not because it was replaced
                    raise
                continue
            if version == self.version_now():
                break
        return self._generation(version, tables, stamps)

    def _generation(
        self,
        version: str,
        tables: Mapping[str, lance.LanceDataset],
        stamps: Mapping[str, Stamp],
    ) -> Generation:
        now = settings.read(self.store.root)
        shown = replace(now, model=self.model or now.model)
        archive = Archive(Steady(self.store.root, shown, tables))
        return Generation(version, archive, archive.model, dict(stamps))

    def _keep(self, generation: Generation) -> None:
        """Keep it; of too many the one goes that was longest not asked for by its name."""
        self._kept[generation.version] = generation
        while len(self._kept) > KEPT:
            others = [name for name in self._kept if name != generation.version]
            oldest = min(others, key=lambda name: self._named.get(name, 0.0))
            del self._kept[oldest]
            self._named.pop(oldest, None)
