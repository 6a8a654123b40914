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

STATES = "centre"
"""The space that searches compare states in where none was chosen."""


def current(store: Store, model: str) -> Space | None:
    """The space that the model's vectors are compared in; None: as they are.

    Raises:
        ArchiveError: its file is not there, or damaged.
    """
    label = store.settings.spaces.get(schema.suffix(model), RAW)
    return None if label == RAW else held(store, model, label)


def of_search(
    store: Store, model: str, *, steps: bool, asked: str | None = None
) -> Space | None:
    """The space that a search compares vectors in: of steps, or of states.

    `asked`: `raw`, a label, or a name, which stands for the newest that is kept. Without
    it, the one of `label_of_search`. None: as they are.

    Raises:
        ArchiveError: there is no such space of the model, or its file is damaged.
    """
    label = asked or label_of_search(store, model, steps=steps)
    if label != RAW and "/" not in label:
        label = newest(store, model, label) or f"{label}/1"
    return None if label == RAW else held(store, model, label)


def label_of_search(store: Store, model: str, *, steps: bool) -> str:
    """Label of the space that a search compares in where it names none.

    The one that was chosen (`choose`). Where none was: steps as they are, states in the
    newest `centre` that is kept, since states share one large component that hides what
    differs; as they are where there is none.
    """
    chosen = store.settings.spaces.get(schema.suffix(model))
    if chosen is not None:
        return chosen
    return RAW if steps else newest(store, model, STATES) or RAW


def newest(store: Store, model: str, name: str) -> str | None:
    """Label of the newest fit of `name` that is kept; None: there is none."""
    version = next_version(store, model, name) - 1
    return f"{name}/{version}" if version else None


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
