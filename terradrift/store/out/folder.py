"""What an exported folder of several files says of itself: one manifest."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from terradrift.store.out.existing import MANIFEST
from terradrift.store.out.leaving import Leaving


class Manifest:
    """`_manifest.json`: what was exported, and every file with its size and SHA-256.

    Entries go to disk as files are made, so that millions of them need no memory.
    """

    def __init__(self, folder: Path, form: str, about: Mapping[str, Any]) -> None:
        self._root = folder
        self._head = {"terradrift": version("terradrift"), "form": form, **about}
        self.files = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        self._file = (self._root / MANIFEST).open("w")
        text = json.dumps(self._head)
        self._file.write(f'{text[:-1]}, "files": [')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file as file:
            if kind is None:
                file.write("\n]}\n")

    def add(self, path: Path, **about: object) -> dict[str, Any]:
        """Note a file of the folder; returns its `bytes` and `sha256`."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
        entry = {
            "path": path.relative_to(self._root).as_posix(),
            **about,
            "bytes": size,
            "sha256": digest,
        }
        self._file.write(",\n" if self.files else "\n")
        self._file.write(json.dumps(entry))
        self.files += 1
        self.bytes += size
        return {"bytes": size, "sha256": digest}


def about(leaving: Leaving) -> dict[str, Any]:
    """What a manifest says of a table that leaves."""
    grid = leaving.store.settings.grid
    return {
        "what": leaving.what,
        "model": leaving.model,
        "grid": {"crs": grid.crs, "patch_size": grid.patch_size, "gsd": grid.gsd},
    }
