"""Which files an import reads, and the names that their scenes go by."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from terradrift.errors import ArchiveError

PARQUET = (".parquet", ".geoparquet", ".gpq")
RASTER = (".tif", ".tiff", ".npy")
KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.+)$")
"""A hive folder."""
_DIGITS = re.compile(r"[\d._-]*\d")
_ABOVE = 3
_TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class File:
    """One file of an import."""

    path: Path
    keys: Mapping[str, str]
    """What hive folders above it say, such as year=2024."""
    names: tuple[str, ...]
    """Its own, without ending, then those of the folders above it: up to the one that was
    asked for, of a file that was to its own; of three at least those of digits alone."""

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
            files[one.resolve()] = _file(one, given if given.is_dir() else one.parent)
    return [files[path] for path in sorted(files, key=lambda one: (one.name, str(one)))]


def _file(path: Path, top: Path) -> File:
    above = path.absolute().parts[:-1]
    matches = (KEY.match(part) for part in above)
    keys = {match[1].lower(): match[2] for match in matches if match}
    inside = len(above) - len(top.absolute().parts) + 1
    names = [
        # Of folders that were not asked for only those that are nothing but a date.
        name if at < inside or _DIGITS.fullmatch(name) else ""
        for at, name in enumerate(reversed(above[-max(inside, _ABOVE) :]))
    ]
    return File(path, keys, (path.stem, *names))
