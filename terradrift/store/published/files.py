"""Which files an import reads, and the names that their scenes go by."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from terradrift.errors import ArchiveError

PARQUET = (".parquet", ".geoparquet", ".gpq")
RASTER = (".tif", ".tiff", ".npy")
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.+)$")
_TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class File:
    """One file of an import."""

    path: Path
    keys: Mapping[str, str]
    """What hive folders above it say, such as year=2024."""
    names: tuple[str, ...]
    """Its own name and those of the folders above it, up to the one that was asked for."""

    @property
    def scene(self) -> str:
        """A name that no other file has: its own, and some of its content."""
        stem = self.path.stem
        with self.path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            digest = blake2b(file.read(), digest_size=4)
        digest.update(str(size).encode())
        return f"{stem}~{digest.hexdigest()}"


def found(paths: Iterable[str | Path], endings: tuple[str, ...]) -> list[File]:
    """All files of those endings: given ones, and those in given folders, by name.

    Raises:
        ArchiveError: a path that is not there, or a folder without such a file.
    """
    files: dict[Path, File] = {}
    for given in map(Path, paths):
        if given.is_dir():
            inside = [
                one
                for one in sorted(given.rglob("*"))
                if one.suffix.lower() in endings
                and one.is_file()
                and not any(
                    part.startswith((".", "_")) for part in one.relative_to(given).parts
                )
            ]
            if not inside:
                raise ArchiveError(
                    f"expected files ending in {', '.join(endings)} in {given}, found none"
                )
        elif given.exists():
            inside = [given]
        else:
            raise ArchiveError(f"no file at {given}")
        for one in inside:
            files[one.resolve()] = _file(one)
    return [files[path] for path in sorted(files, key=lambda one: (one.name, str(one)))]


def _file(path: Path) -> File:
    above = path.absolute().parts[:-1]
    matches = (_KEY.match(part) for part in above)
    keys = {match[1]: match[2] for match in matches if match}
    return File(path, keys, (path.name, *reversed(above[-3:])))
