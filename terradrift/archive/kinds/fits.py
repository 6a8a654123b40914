"""Fits of kinds, kept with the archive: one numbered file each, none ever replaced."""

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terradrift import schema
from terradrift.detect.features import Basis
from terradrift.detect.kinds import Fitted
from terradrift.errors import ArchiveError
from terradrift.store import arrays
from terradrift.store.tables import Store

if TYPE_CHECKING:
    from pathlib import Path

_FORM = "kinds/1"
_ARRAYS = ("points", "kind", "node", "probability", "reach")
_BASIS = ("state", "weight", "mean", "axes")


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One fit, and what later ones must know of it."""

    number: int
    """From 1, in order of time."""
    run_id: str
    free: int
    """The first number of a kind that was never used, by this fit or any before."""
    none_share: float
    """0..1, share of changes that were of no kind."""
    fitted: Fitted


def numbers(store: Store, model: str) -> list[int]:
    """Numbers of the fits that are kept, ascending."""
    pattern = re.compile(rf"{re.escape(_stem(model))}\.(\d+)\.safetensors")
    found = (pattern.fullmatch(path.name) for path in _folder(store).glob("kinds.*"))
    return sorted(int(match[1]) for match in found if match)


def newest(store: Store, model: str) -> Fit | None:
    """The last fit, None where there is none.

    Raises:
        ArchiveError: its file is damaged.
    """
    held = numbers(store, model)
    return read(store, model, held[-1]) if held else None


def read(store: Store, model: str, number: int) -> Fit:
    """A fit by its number.

    Raises:
        ArchiveError: there is none of that number, or its file is damaged.
    """
    if number not in (held := numbers(store, model)):
        raise ArchiveError(
            f"{store.root} has no fit {number} of kinds of {model}, it has "
            f"{', '.join(map(str, held)) or 'none'}; make one with terradrift cluster"
        )
    path = _path(store, model, number)
    stored, said = arrays.load(
        path,
        "kinds",
        "restore it from a copy, or remove it and run terradrift cluster",
    )
    missing = {*_ARRAYS, *_BASIS} - stored.keys()
    if said.get("form") != _FORM or missing:
        raise ArchiveError(
            f"expected kinds of form {_FORM} in {path}, got {json.dumps(said)}; remove it "
            "and run terradrift cluster"
        )
    basis = Basis(
        stored["state"].astype(np.float32),
        np.float32(stored["weight"][0]),
        stored["mean"].astype(np.float32),
        stored["axes"].astype(np.float32),
    )
    return Fit(
        number,
        said["run_id"],
        int(said["free"]),
        float(said["none_share"]),
        Fitted(basis, **{name: stored[name] for name in _ARRAYS}),
    )


def write(
    store: Store,
    model: str,
    fitted: Fitted,
    *,
    run_id: str,
    free: int,
    none_share: float,
) -> Fit:
    """Keep a fit under the next number."""
    number = 1 + max(numbers(store, model), default=0)
    fit = Fit(number, run_id, free, none_share, fitted)
    held = {name: getattr(fitted, name) for name in _ARRAYS}
    for name in _BASIS:
        held[name] = np.atleast_1d(np.asarray(getattr(fitted.basis, name), np.float32))
    said = {
        "form": _FORM,
        "model": model,
        "run_id": run_id,
        "free": str(free),
        "none_share": repr(none_share),
    }
    arrays.write(_path(store, model, number), held, said)
    return fit


def _folder(store: Store) -> "Path":
    return store.root / "models"


def _stem(model: str) -> str:
    return f"kinds.{schema.suffix(model)}"


def _path(store: Store, model: str, number: int) -> "Path":
    return _folder(store) / f"{_stem(model)}.{number}.safetensors"
