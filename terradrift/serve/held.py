"""The archive that is served: one generation at a time, and whether there is a newer one."""

import hashlib
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from terradrift.archive import Archive
from terradrift.archive.opening import open_archive
from terradrift.serve.faults import Gone

KEPT = 2
"""Generations that are kept: pages that are open go on with theirs until they move on."""


@dataclass(frozen=True, eq=False)
class Generation:
    """What the archive held when it was opened, under a name that tiles are cached by."""

    version: str
    """Letters and digits; another one whenever a table changed."""
    archive: Archive
    model: str
    """Whose changes are shown."""

    @cached_property
    def lock(self) -> threading.Lock:
        """For what is made once per generation."""
        return threading.Lock()


@dataclass(eq=False)
class Held:
    """Hands out generations; safe to use from many threads."""

    root: Path
    model: str | None = None
    """None: the archive's own."""
    read_only: bool = False
    _kept: dict[str, Generation] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def newest(self) -> Generation:
        """The archive as it is now."""
        with self._changing:
            version = self.version_now()
            found = self._kept.get(version)
            if found is None:
                archive = open_archive(self.root)
                found = Generation(version, archive, self.model or archive.model)
                self._kept[version] = found
                while len(self._kept) > KEPT:
                    del self._kept[next(iter(self._kept))]
            return found

    def at(self, version: str | None) -> Generation:
        """The generation of that name; the newest that was handed out without one.

        Raises:
            Gone: it is not kept any more; the page must be loaded anew.
        """
        with self._changing:
            if version is None and self._kept:
                return next(reversed(self._kept.values()))
            if version in self._kept:
                return self._kept[version]
        if version is None:
            return self.newest()
        raise Gone("newer data are shown by now; load the page anew")

    def version_now(self) -> str:
        """The name of what the archive holds now, by its manifests; opens no table."""
        told = sorted(
            f"{path.parent.parent.name}/{path.name}/{path.stat().st_mtime_ns}"
            for path in self.root.glob("*.lance/_versions/*.manifest")
            if not path.parent.parent.name.startswith(("labels", "runs"))
        )
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
