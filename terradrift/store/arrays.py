"""Arrays in one file beside the tables: written whole or not at all, read by mapping.

The format is safetensors, which holds numbers and text alone. A file that is read is
mapped, so what of a large array is not used is not read either.
"""

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from terradrift.errors import ArchiveError
from terradrift.store.disk import doing

_TYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_LENGTH = 8
_ALIGN = 64
_ZEROS = 1 << 20


def write(
    path: Path, arrays: Mapping[str, NDArray[Any]], said: Mapping[str, str]
) -> None:
    """Write arrays of numbers and what is said of them.

    Raises:
        ArchiveError: they cannot be written; a file that was there is as it was.
    """
    whole = {name: np.ascontiguousarray(one) for name, one in arrays.items()}
    with _replacing(path) as file:
        file.write(save(whole, metadata=dict(said)))


@contextmanager
def room(
    path: Path,
    shapes: Mapping[str, tuple[type[np.generic], tuple[int, ...]]],
    said: Mapping[str, str],
) -> Iterator[dict[str, NDArray[Any]]]:
    """Arrays of zeros to fill inside the block: mapped, so memory need not hold them.

    They lie in the order given, without gaps, the first at a multiple of 64 bytes. The file
    is there when the block ends, and never in parts.

    Raises:
        ArchiveError: no room on the disk; a file that was there is as it was.
    """
    names: dict[np.dtype[Any], str] = {
        np.dtype(type_): name for name, type_ in _TYPES.items()
    }
    header: dict[str, Any] = {"__metadata__": dict(said)}
    end = 0
    for name, (type_, shape) in shapes.items():
        first, end = end, end + math.prod(shape) * np.dtype(type_).itemsize
        held = {"dtype": names[np.dtype(type_)], "shape": shape}
        header[name] = {**held, "data_offsets": (first, end)}
    text = json.dumps(header).encode()
    text += b" " * (-(_LENGTH + len(text)) % _ALIGN)
    start = _LENGTH + len(text)
    with _replacing(path) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.flush()
        _reserve(file, start + end)
        whole = np.memmap(file, np.uint8, mode="r+", shape=(start + end,))
        found: dict[str, NDArray[Any]] = {}
        for name, (type_, shape) in shapes.items():
            first, last = header[name]["data_offsets"]
            found[name] = whole[start + first : start + last].view(type_).reshape(shape)
        yield found
        whole.flush()


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its name when the block ends, whole and on the disk."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with doing(path.parent, f"write {path.name}"):
        path.parent.mkdir(exist_ok=True)
        try:
            with unfinished.open("w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def _reserve(file: BinaryIO, size: int) -> None:
    """Take the room now: a mapped file that meets a full disk later kills its process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    at = file.tell()
    while at < size:
        at += file.write(bytes(min(_ZEROS, size - at)))
    file.flush()


def read(
    path: Path, remedy: str = "restore it from a copy, or make it anew"
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays, mapped and read-only, and what is said of them.

    `remedy` is what to do where it cannot be read.

    Raises:
        ArchiveError: the file is not there, or damaged.
    """
    try:
        raw = np.memmap(path, np.uint8, mode="r")
        (length,) = struct.unpack("<Q", raw[:_LENGTH].tobytes())
        header = json.loads(raw[_LENGTH : _LENGTH + length].tobytes())
        said = header.pop("__metadata__", {})
        data = raw[_LENGTH + length :]
        found: dict[str, NDArray[Any]] = {}
        for name, one in header.items():
            first, last = one["data_offsets"]
            if last > len(data):
                raise ValueError(f"it ends before {name}")  # noqa: TRY301 - one way out
            found[name] = data[first:last].view(_TYPES[one["dtype"]])
            found[name] = found[name].reshape(one["shape"])
    except (OSError, ValueError, KeyError, RecursionError, struct.error) as error:
        raise ArchiveError(f"cannot read {path}: {error}; {remedy}") from error
    return found, said


def load(
    path: Path, what: str, remedy: str
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays, whole in memory, and what is said of them.

    Args:
        path: a file that `write` made.
        what: it holds, for messages.
        remedy: what to do without it, likewise.

    Raises:
        ArchiveError: the file is not there, or damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            return found, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ArchiveError(
            f"cannot read {what} from {path}: {error}; {remedy}"
        ) from error


def text(words: NDArray[np.str_]) -> NDArray[np.uint8]:
    """(n, w) bytes of ASCII words (n,)."""
    plain = np.ascontiguousarray(words.astype(np.bytes_))
    return plain.view(np.uint8).reshape(len(plain), plain.itemsize)


def words(found: NDArray[np.uint8]) -> NDArray[np.str_]:
    """The words (n,) that `text` made bytes of."""
    whole = np.ascontiguousarray(found)
    if whole.size == 0:
        return np.empty(len(whole), np.str_)
    plain: NDArray[np.str_] = whole.view(f"S{whole.shape[1]}")[:, 0].astype(np.str_)
    return plain
