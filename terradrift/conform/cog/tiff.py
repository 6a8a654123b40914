"""The directories (IFDs) of a TIFF or BigTIFF, read by hand and within bounds."""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8", 12: "f8"}
_DIRECTORIES = 1_000
_VALUE_BYTES = 256 << 20
"""Of all values of the file together."""
_TAGS = 4_096


@dataclass(frozen=True, slots=True)
class Directory:
    """One image of the file."""

    offset: int
    tags: dict[int, NDArray[Any]] = field(repr=False)

    def one(self, tag: int, otherwise: int = 0) -> int:
        """The first value of a tag."""
        values = self.tags.get(tag)
        return otherwise if values is None or not len(values) else int(values[0])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.one(256), self.one(257)

    @property
    def tiled(self) -> bool:
        """Whether pixels lie in tiles."""
        return 322 in self.tags

    @property
    def blocks(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Offset and bytes of every block; 0 and 0 where it is sparse."""
        none = np.empty(0, np.uint64)
        at, sizes = (324, 325) if self.tiled else (273, 279)
        offsets, lengths = self.tags.get(at, none), self.tags.get(sizes, none)
        many = min(len(offsets), len(lengths))
        return offsets[:many].astype(np.uint64), lengths[:many].astype(np.uint64)

    @property
    def reduced(self) -> bool:
        """Whether it is an overview."""
        return bool(self.one(254) & 1)

    @property
    def mask(self) -> bool:
        """Whether it is a mask."""
        return bool(self.one(254) & 4)


@dataclass(frozen=True, slots=True)
class Tiff:
    """All directories in the order of the file's chain."""

    directories: tuple[Directory, ...]
    bytes: int
    first: int
    """Where a first directory lies that has nothing before it: 8, in BigTIFF 16."""
    ghost: str
    """What GDAL says of the layout before the first directory; empty where nothing."""


def read(path: Path) -> Tiff:
    """The file's directories.

    Raises:
        ValueError: no TIFF, a damaged one, or one out of bounds; in one line.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8:
            raise ValueError(f"bytes {head[:4]!r} at its start")
        (magic,) = struct.unpack(f"{order}H", head[2:4])
        if magic == 42:
            big, start = False, struct.unpack(f"{order}I", head[4:8])[0]
        elif magic == 43 and len(head) == 16:
            big, start = True, struct.unpack(f"{order}Q", head[8:16])[0]
        else:
            raise ValueError(f"version {magic} of TIFF")
        ghost = file.read(4096) if big else head[8:] + file.read(4096)
        found: list[Directory] = []
        seen: set[int] = set()
        held = 0
        while start:
            if start in seen or len(found) >= _DIRECTORIES:
                raise ValueError("a chain of directories without end")
            seen.add(start)
            directory, start = _directory(file, start, order, size, big=big)
            found.append(directory)
            held += sum(one.nbytes for one in directory.tags.values())
            if held > _VALUE_BYTES:
                raise ValueError(f"values of more than {_VALUE_BYTES >> 20} MiB")
    if not found:
        raise ValueError("no directory")
    told = ghost.partition(b"GDAL_STRUCTURAL_METADATA_SIZE=")
    text = told[2][:400].decode("ascii", "replace") if told[1] else ""
    return Tiff(tuple(found), size, 16 if big else 8, text)


def _directory(
    file: BinaryIO, start: int, order: str, size: int, *, big: bool
) -> tuple[Directory, int]:
    counter, entry, link = ("Q", 20, "Q") if big else ("H", 12, "I")
    (many,) = struct.unpack(
        f"{order}{counter}", _bytes(file, start, 8 if big else 2, size)
    )
    if many > _TAGS:
        raise ValueError(f"a directory of {many:,} tags")
    at = start + (8 if big else 2)
    entries = _bytes(file, at, many * entry, size)
    (after,) = struct.unpack(
        f"{order}{link}", _bytes(file, at + many * entry, 8 if big else 4, size)
    )
    tags: dict[int, NDArray[Any]] = {}
    for i in range(many):
        raw = entries[i * entry : (i + 1) * entry]
        tag, kind = struct.unpack(f"{order}HH", raw[:4])
        (count,) = struct.unpack(f"{order}{link}", raw[4 : 12 if big else 8])
        if kind not in _SIZES:
            continue
        length = count * _SIZES[kind]
        inline = 8 if big else 4
        if length > _VALUE_BYTES:
            raise ValueError(f"a tag {tag} of {length:,} bytes")
        if length <= inline:
            data = raw[-inline:][:length]
        else:
            (where,) = struct.unpack(f"{order}{link}", raw[-inline:])
            data = _bytes(file, where, length, size)
        if kind in _LETTERS:
            tags[tag] = np.frombuffer(data, f"{order}{_LETTERS[kind]}")
    return Directory(start, tags), int(after)


def _bytes(file: BinaryIO, at: int, length: int, size: int) -> bytes:
    if at + length > size:
        raise ValueError(
            f"{at + length:,} bytes needed, {size:,} there: it is truncated"
        )
    file.seek(at)
    return file.read(length)
