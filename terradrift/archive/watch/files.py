"""What `watch` keeps beside its table: the fitted reference, and the charts as they stand."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift import schema
from terradrift.detect.monitor.beside import Chosen
from terradrift.detect.monitor.chart import State
from terradrift.detect.monitor.day import Learned
from terradrift.detect.monitor.reference import Reference
from terradrift.detect.monitor.rules import Rules
from terradrift.detect.monitor.tail import Tail
from terradrift.detect.pool import Basis
from terradrift.errors import ArchiveError
from terradrift.store import arrays
from terradrift.store.tables import Store

KIND = "watch/1"
_FOLDER = "watch"
_TIMES = ("since", "before", "last")


def write_reference(store: Store, name: str, reference: Reference) -> None:
    """Keep the reference in the file `name`."""
    learned, basis, tail = reference.learned, reference.basis, reference.tail
    held: dict[str, NDArray[Any]] = {
        "center": basis.center,
        "scale": basis.scale,
        "mean": basis.mean,
        "axes": basis.axes,
        "patch_ids": arrays.text(reference.patch_ids),
        "own": reference.own.astype(np.int32),
        "index": learned.chosen.index,
        "distance": learned.chosen.distance,
        "bias": learned.bias,
        "typical": learned.scale,
        "whiten": reference.whiten,
        "peaks": tail.peaks,
        "tail": np.array([tail.years, tail.start, tail.scale, reference.threshold]),
        "last": reference.last.astype("datetime64[us]").view(np.int64),
    }
    said = {
        "kind": KIND,
        "start": str(reference.start),
        "patch_km2": repr(reference.patch_km2),
        "span": str(reference.span),
        "rules": json.dumps(asdict(reference.rules)),
    }
    arrays.write(_path(store, name), held, said)


def read_reference(store: Store, name: str) -> Reference:
    """The reference in the file `name`; its analogues stay on the disk until they are used.

    Raises:
        ArchiveError: the file is not there, damaged, or of another terradrift.
    """
    held, said = _read(store, name)
    years, start, scale, threshold = (float(one) for one in held["tail"])
    return Reference(
        start=np.datetime64(said["start"], "D"),
        rules=Rules(**json.loads(said["rules"])),
        patch_km2=float(said["patch_km2"]),
        basis=Basis(
            *(np.array(held[part]) for part in ("center", "scale", "mean", "axes"))
        ),
        patch_ids=arrays.words(held["patch_ids"]),
        own=held["own"].astype(np.int64),
        learned=Learned(
            Chosen(held["index"], held["distance"]), held["bias"], held["typical"]
        ),
        whiten=np.array(held["whiten"]),
        tail=Tail(np.array(held["peaks"]), years, start, scale),
        last=np.array(held["last"]).view("datetime64[us]"),
        threshold=threshold,
        span=int(said["span"]),
    )


def write_state(store: Store, name: str, state: State) -> None:
    """Keep the charts in the file `name`."""
    held = {
        part: one.astype("datetime64[us]").view(np.int64) if part in _TIMES else one
        for part, one in state.arrays().items()
    }
    arrays.write(_path(store, name), held, {"kind": KIND})


def read_state(store: Store, name: str) -> State:
    """The charts in the file `name`, to go on with.

    Raises:
        ArchiveError: the file is not there, damaged, or of another terradrift.
    """
    held, _ = _read(store, name)

    def column(part: str) -> NDArray[Any]:
        whole = np.array(held[part])
        return whole.view("datetime64[us]") if part in _TIMES else whole

    return State(**{part: column(part) for part in held})


def sweep(store: Store, model: str, kept: set[str]) -> None:
    """Remove the model's files that no commit names; the caller holds the lock."""
    prefix = f"{schema.suffix(model)}."
    for path in (store.root / _FOLDER).glob("*.safetensors*"):
        if path.name.startswith(prefix) and path.name not in kept:
            path.unlink(missing_ok=True)


def _path(store: Store, name: str) -> Path:
    return store.root / _FOLDER / name


def _read(store: Store, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    held, said = arrays.read(_path(store, name))
    if said.get("kind") != KIND:
        raise ArchiveError(
            f"expected {KIND} in {name}, got {said.get('kind')!r}; begin anew with "
            "terradrift watch --start DATE"
        )
    return held, said
