"""Small windows of reflectance, kept beside the archive so that pictures outlive their sources.

They lie in `thumbnails/`, one file each, and are derived: any may be deleted at any time.
A file is one line of text that says what it holds, then float16 numbers, deflated; nothing
in it is ever run. It appears whole or not at all, so many processes may share the folder.
"""

import hashlib
import json
import os
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = "thumbnails"
MOST_BYTES = 512 << 20
"""Of all files together; beyond it those that were not asked for longest go first."""

_FORM = "terradrift-thumbnail/1"
_SUFFIX = ".window"
_PART = ".part"
_LONGEST_LINE = 200
_LEFT = 0.9
"""Share of the bound that is left when files were removed."""
_LOOK_EVERY = 256
"""Files written until it is looked anew at what other processes wrote."""
_FORGOTTEN_S = 3600.0
"""Age at which an unfinished file is of a process that was killed."""


class Thumbnails:
    """The windows that are kept under one archive; safe in many threads and processes."""

    def __init__(self, root: Path, most_bytes: int = MOST_BYTES) -> None:
        if most_bytes < 0:
            raise ValueError(f"most_bytes must not be negative, got {most_bytes}")
        self.folder = root / FOLDER
        self._most = most_bytes
        self._lock = threading.Lock()
        self._bytes = -1
        self._written = 0
        self.trouble: str | None = None
        """Why the last window could not be written; None where it could."""

    def has(self, key: str) -> bool:
        """Whether there is a file of that name, whole or not."""
        return self._path(key).is_file()

    def get(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """The window of that name and shape; None where there is none, or it is damaged."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                line = file.readline(_LONGEST_LINE)
                packed = file.read()
        except OSError:
            return None
        values = _read(line, packed, shape)
        with suppress(OSError):  # a folder that is only read keeps its order
            if values is None:
                path.unlink()
            else:
                os.utime(path)
        return values

    def put(self, key: str, values: NDArray[np.floating]) -> bool:
        """Keep a window; False where the folder cannot be written, which is no error."""
        path = self._path(key)
        line = json.dumps({"form": _FORM, "shape": list(values.shape)}).encode() + b"\n"
        data = line + zlib.compress(rounded(values).tobytes(), 1)
        if len(data) > self._most:
            return False
        part = path.with_name(f"{key}.{os.getpid()}-{threading.get_ident()}{_PART}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(data)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            self.trouble = error.strerror or str(error)
            return False
        self.trouble = None
        self._count(len(data))
        return True

    def bytes(self) -> int:
        """Of all files, as they are now."""
        return sum(size for _, size, _ in self._files())

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _count(self, more: int) -> None:
        with self._lock:
            self._written += 1
            if self._bytes < 0 or self._written % _LOOK_EVERY == 0:
                self._bytes = self.bytes()
            else:
                self._bytes += more
            if self._bytes > self._most:
                self._bytes = self._trim()

    def _trim(self) -> int:
        """Remove what was not asked for longest; returns what is left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= _LEFT * self._most:
                break
            with suppress(OSError):  # another process was first
                path.unlink()
            left -= size
        return left

    def _files(self) -> list[tuple[int, int, Path]]:
        """When each was last asked for, its bytes, its path; forgotten parts are removed."""
        found = []
        try:
            inside = list(os.scandir(self.folder))
        except OSError:
            return []
        for entry in inside:
            with suppress(OSError):
                told = entry.stat(follow_symlinks=False)
                if entry.name.endswith(_SUFFIX):
                    found.append((told.st_mtime_ns, told.st_size, Path(entry.path)))
                elif (
                    entry.name.endswith(_PART)
                    and time.time() - told.st_mtime > _FORGOTTEN_S
                ):
                    Path(entry.path).unlink()
        return found


def rounded(values: NDArray[np.floating]) -> NDArray[np.float16]:
    """As they are kept: to three digits; what is beyond float16 is its largest number."""
    most = float(np.finfo(np.float16).max)
    return np.ascontiguousarray(np.clip(values, -most, most), "<f2")


def key(*told: object) -> str:
    """The name of a window: letters and digits, the same for the same question."""
    text = json.dumps(told, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read(
    line: bytes, packed: bytes, shape: tuple[int, ...]
) -> NDArray[np.float32] | None:
    """What a file holds, if it is whole and of that shape."""
    size = 2 * int(np.prod(shape))
    try:
        said = json.loads(line)
        if said != {"form": _FORM, "shape": list(shape)}:
            return None
        unpack = zlib.decompressobj()
        data = unpack.decompress(packed, size + 1)
    except (ValueError, zlib.error):
        return None
    # The checksum at the end is read with the last byte.
    if len(data) != size or not unpack.eof:
        return None
    return np.frombuffer(data, "<f2").reshape(shape).astype(np.float32)
