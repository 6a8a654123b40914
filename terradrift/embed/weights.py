"""Arrays of a fitted model in a safetensors file, written whole or not at all."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import ArchiveError


def save(
    path: Path,
    arrays: Mapping[str, NDArray[np.float32]],
    settings: Mapping[str, object],
    kind: str,
) -> None:
    """Write `arrays` and JSON `settings` of a model of `kind`, such as `mosaiks/1`."""
    from safetensors.numpy import save as serialised

    written = serialised(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        metadata={"kind": kind, "settings": json.dumps(settings, sort_keys=True)},
    )
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(written)
    unfinished.replace(path)


def load(
    path: Path, kind: str
) -> tuple[dict[str, NDArray[np.float32]], dict[str, object]]:
    """Arrays and settings that `save` wrote.

    Raises:
        ArchiveError: the file is damaged or holds a model of another kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise ArchiveError(f"expected a {kind} model in {path}, got {error}") from error
    if metadata.get("kind") != kind:
        raise ArchiveError(
            f"expected a {kind} model in {path}, got {metadata.get('kind', 'another file')}"
        )
    return arrays, json.loads(metadata["settings"])


def digest(
    arrays: Mapping[str, NDArray[np.float32]], settings: Mapping[str, object]
) -> str:
    """Hex SHA-256 of all numbers that make the model, whatever machine asks."""
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in sorted(arrays):
        found.update(f"{name}{arrays[name].shape}".encode())
        found.update(np.ascontiguousarray(arrays[name], "<f4").tobytes())
    return found.hexdigest()
