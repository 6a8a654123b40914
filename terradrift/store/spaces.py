"""Spaces that an archive's vectors are compared in: one file each, none ever replaced."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.space import RAW, Space
from terradrift.store import arrays
from terradrift.store.tables import Store

KIND = "space/1"


def current(store: Store, model: str) -> Space | None:
    """The space that the model's vectors are compared in; None: as they are.

    Raises:
        ArchiveError: its file is not there, or damaged.
    """
    label = store.settings.spaces.get(schema.suffix(model), RAW)
    return None if label == RAW else held(store, model, label)


def held(store: Store, model: str, label: str) -> Space:
    """A space that was fitted before.

    Raises:
        ArchiveError: there is none of that label, or its file is damaged.
    """
    if re.fullmatch(r"[a-z]+/[1-9]\d*", label) is None:
        raise ArchiveError(
            f"expected the label of a space such as centre/1, got {label!r}"
        )
    path = _path(store, model, label)
    if not path.exists():
        known = sorted(
            "/".join(file.name.split(".")[1:3])
            for file in path.parent.glob(f"{schema.suffix(model)}.*.safetensors")
        )
        raise ArchiveError(
            f"{store.root} has no space {label} of {model}, it has "
            f"{', '.join(known) or 'none'}; fit one with terradrift space"
        )
    return _read(path, label)


def choose(store: Store, model: str, space: Space | None) -> None:
    """Compare the model's vectors in `space` from now on; write it if it is new."""
    if space is not None:
        keep(store, model, space)
    label = RAW if space is None else space.label
    spaces = {**store.settings.spaces, schema.suffix(model): label}
    store.update(replace(store.settings, spaces=spaces))


def keep(store: Store, model: str, space: Space) -> None:
    """Write the space if it is new; what vectors are compared in stays."""
    path = _path(store, model, space.label)
    if not path.exists():
        _write(path, space)


def next_version(store: Store, model: str, name: str) -> int:
    """One more than the newest fit of `name` for the model."""
    found = (store.root / "spaces").glob(f"{schema.suffix(model)}.{name}.*.safetensors")
    return 1 + max((int(path.name.split(".")[-2]) for path in found), default=0)


def _path(store: Store, model: str, label: str) -> Path:
    name, _, version = label.partition("/")
    file = f"{schema.suffix(model)}.{name}.{version}.safetensors"
    return store.root / "spaces" / file


def _write(path: Path, space: Space) -> None:
    held = {"mean": space.mean.astype(np.float32)}
    if space.matrix is not None:
        held["matrix"] = space.matrix.astype(np.float32)
    said = {
        "kind": KIND,
        "name": space.name,
        "version": str(space.version),
        "observations": str(space.observations),
    }
    if space.last_day is not None:
        said["last_day"] = str(space.last_day)
    arrays.write(path, held, said)


def _read(path: Path, label: str) -> Space:
    found, said = arrays.load(
        path,
        f"the space {label}",
        "restore it from a copy, or fit another with terradrift space",
    )
    if said.get("kind") != KIND or f"{said['name']}/{said['version']}" != label:
        raise ArchiveError(
            f"expected the space {label} in {path}, got {json.dumps(said)}; restore it from "
            "a copy, or fit another with terradrift space"
        )
    return Space(
        said["name"],  # type: ignore[arg-type]  # it is as the label says
        int(said["version"]),
        found["mean"],
        found.get("matrix"),
        int(said["observations"]),
        np.datetime64(said["last_day"], "D") if "last_day" in said else None,
    )
