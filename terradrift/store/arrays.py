"""Arrays in one file beside the tables: written whole or not at all, read by mapping.

The format is safetensors, which holds numbers and text alone. A file that is read is
mapped, so what of a large array is not used is not read either.
"""

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def write(
    path: Path, arrays: Mapping[str, NDArray[Any]], said: Mapping[str, str]
) -> None:
    """Write arrays of numbers and what is said of them.

    Raises:
        ArchiveError: they cannot be written; a file that was there is as it was.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with doing(path.parent, f"write {path.name}"):
        path.parent.mkdir(exist_ok=True)
        try:
            whole = {name: np.ascontiguousarray(one) for name, one in arrays.items()}
            with unfinished.open("wb") as file:
                file.write(save(whole, metadata=dict(said)))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays, mapped and read-only, and what is said of them.

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
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise ArchiveError(
            f"cannot read {path}: {error}; restore it from a copy, or make it anew"
        ) from error
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
