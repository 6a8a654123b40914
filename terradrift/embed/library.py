"""Weights on this machine: one safetensors file a model, checked when it was added."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from terradrift.embed import weights
from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from terradrift.embed.spec import Source, Spec

KIND = "weights/1"
"""Kind in the metadata of a file in the folder."""

_Stamp = tuple[Path, int, int]
"""Path, bytes and time of change in ns."""
_SOUND: set[_Stamp | None] = set()
"""Files whose numbers this process has compared with their digest."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The weights of a model as they lie here."""

    state: dict[str, Tensor]
    """By the keys of the network; floats are float32."""
    sha256: str
    """Digest of all tensors: `weights.digest`, the same on every machine."""


def folder() -> Path:
    """Where weights lie: `$TERRADRIFT_MODELS`, or `terradrift/models` in the user's cache."""
    if chosen := os.environ.get("TERRADRIFT_MODELS"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "terradrift" / "models"


def place(spec: Spec) -> Path:
    """The file that holds the weights of the model, or will."""
    return folder() / f"{quote(spec.name, safe='+')}.safetensors"


def present(spec: Spec) -> bool:
    """Whether the weights of the model are here."""
    return place(spec).is_file()


def sound(spec: Spec) -> bool:
    """Whether the weights are here and can be used, as far as is seen without the numbers."""
    try:
        about(spec)
    except WeightsError:
        return False
    return True


def load(spec: Spec) -> Held:
    """Read the weights; the numbers are those of the day they were added.

    The length of the file and whose weights they are is checked each time, every number by
    the digest the first time in a process, and again once the file has changed.

    Raises:
        WeightsError: they are not here (says how to get them), or damaged.
    """
    known = _stamp(spec)
    held = _read(spec)
    if known not in _SOUND:
        _compare(spec, held)
        _SOUND.add(known)
    return held


def about(spec: Spec) -> dict[str, str]:
    """What is known of the weights here: source file, its digest, that of the tensors.

    Raises:
        WeightsError: as `load`.
    """
    with _opened(spec, "numpy") as (_, metadata):  # numpy: without waiting for torch
        return metadata


def published_digest(source: Source) -> str:
    """Hex SHA-256 of the published file, or its beginning; empty where unknown."""
    return (source.sha256 or source.sha256_prefix).lower()


def is_published(spec: Spec) -> bool | None:
    """Whether the weights here came from the published file; None: its digest is unknown.

    Raises:
        WeightsError: as `load`.
    """
    known = published_digest(spec.source)
    return about(spec)["source_sha256"].startswith(known) if known else None


def verify(spec: Spec) -> Held:
    """Read the weights and compare every number with the digest of the day of adding.

    Raises:
        WeightsError: as `load`, or the numbers have changed since.
    """
    held = _read(spec)
    _compare(spec, held)
    return held


def _read(spec: Spec) -> Held:
    """The numbers of the file, and the digest that it states."""
    with _opened(spec, "pt") as (file, metadata):
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    return Held(state=state, sha256=metadata["sha256"])


def _stamp(spec: Spec) -> _Stamp | None:
    """What tells a file from the same file changed; None where there is none."""
    path = place(spec)
    if not path.is_file():
        return None
    stat = path.stat()
    return path.absolute(), stat.st_size, stat.st_mtime_ns


def _compare(spec: Spec, held: Held) -> None:
    found = digest(held.state)
    if found != held.sha256:
        raise WeightsError(
            f"{place(spec)} has changed since it was added: expected the digest "
            f"{held.sha256[:12]}, got {found[:12]}; {_way(spec)}"
        )


def remove(spec: Spec) -> bool:
    """Delete the weights of the model from this machine; whether there were any."""
    there = present(spec)
    place(spec).unlink(missing_ok=True)
    return there


def add(spec: Spec, file: Path, *, origin: str = "") -> Path:
    """Convert an official checkpoint once; every key used or known, none missing.

    What is kept are the tensors of the network by its own keys, half and double precision
    as float32, whatever the output chosen later. Weights that are here already stay as
    they are until the new ones lie beside them, whole. `origin` is the address that the
    file came from, where that is known.

    Raises:
        WeightsError: another model's file, truncated, or a pickle that is not safe; or
            there is no space for it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    from terradrift.embed import official, unpickle

    target = place(spec)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=target.parent) as work:
        loaded = unpickle.tensors(file, Path(work))
        state = official.picked(spec, loaded)
        metadata = {
            "kind": KIND,
            "model": spec.name,
            "revision": spec.revision,
            "sha256": digest(state),
            "source": file.name,
            "origin": origin,
            "source_sha256": file_sha256(file),
            "terradrift": _version(),
        }
        unfinished = Path(work) / target.name
        try:
            save_file(state, unfinished, metadata=metadata)
        except SafetensorError as error:
            raise WeightsError(
                f"the weights of {spec.name} could not be written to {target.parent} "
                f"({error}); is there space?"
            ) from error
        _make_readable(unfinished)
        unfinished.replace(target)
    return target


def digest(state: Mapping[str, Tensor]) -> str:
    """Hex SHA-256 of names, shapes and numbers of all tensors."""
    return weights.digest({key: value.numpy() for key, value in state.items()}, {})


def file_sha256(file: Path) -> str:
    """Hex SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _make_readable(file: Path) -> None:
    """Give it the mode of any new file; safetensors makes it its owner's alone."""
    usual = file.with_name("usual")
    usual.touch()
    shutil.copymode(usual, file)


def _version() -> str:
    try:
        return version("terradrift")
    except PackageNotFoundError:
        return "not installed"  # a checkout on a bare machine


def _way(spec: Spec) -> str:
    fetch = f"run `terradrift models fetch {spec.name}`, or "
    add = f"`terradrift models add {spec.name} FILE`"
    return f"run {add}" if spec.source.unsafe else fetch + add


@contextmanager
def _opened(spec: Spec, framework: str) -> Iterator[tuple[Any, dict[str, str]]]:
    """The open file and its metadata, which say that it is this model's."""
    from safetensors import SafetensorError, safe_open

    path = place(spec)
    if not present(spec):
        raise WeightsError(
            f"weights of {spec.name} are not on this machine; {_way(spec)}"
        )
    try:
        with safe_open(path, framework=framework) as file:
            metadata = file.metadata() or {}
            _check(spec, path, metadata)
            yield file, metadata
    except SafetensorError as error:
        raise WeightsError(
            f"expected the weights of {spec.name} in {path}, got a truncated or damaged "
            f"file ({error}); {_way(spec)}"
        ) from error


def _check(spec: Spec, path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("kind") != KIND or "sha256" not in metadata:
        raise WeightsError(
            f"expected the weights of {spec.name} in {path}, got a file that was not "
            f"written by `terradrift models`; {_way(spec)}"
        )
    if metadata.get("model") != spec.name or metadata.get("revision") != spec.revision:
        raise WeightsError(
            f"expected the weights of {spec.name}, revision {spec.revision}, in {path}, "
            f"got those of {metadata.get('model')}, revision "
            f"{metadata.get('revision')}; {_way(spec)}"
        )
