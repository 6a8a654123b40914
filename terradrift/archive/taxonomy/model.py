"""A fitted taxonomy as a file of the archive: numbered, and none is ever replaced."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive.stamp import stamp_of
from terradrift.detect.pool import Basis
from terradrift.detect.taxonomy.paths import Calendar, Paths, Projection
from terradrift.detect.taxonomy.tree import Regime, Taxonomy
from terradrift.errors import ArchiveError
from terradrift.space import RAW
from terradrift.store import arrays, spaces
from terradrift.store.tables import Store

KIND = "taxonomy/1"
_BASIS = ("center", "scale", "mean", "axes")


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """All that is needed to place a patch: what it is seen by, and the regimes."""

    projection: Projection
    taxonomy: Taxonomy
    min_clear: float
    """Percent; observations that are less clear take no part."""
    since: np.datetime64
    until: np.datetime64
    """First and last day that take part, datetime64[D]."""
    members: NDArray[np.str_]
    """Ids of the patches that others are compared with, sorted."""


def newest(store: Store, model: str) -> int:
    """Number of the newest taxonomy of the model, 0 where there is none."""
    name = schema.suffix(model)
    found = (store.root / "models").glob(f"taxonomy.{name}.*.safetensors")
    numbers = (re.fullmatch(r".*\.(\d+)\.safetensors", path.name) for path in found)
    return max((int(match[1]) for match in numbers if match), default=0)


def stamp(store: Store, model: str) -> dict[str, Any]:
    """What the table of regimes was made from; empty where there is none.

    `number` is that of its taxonomy.
    """
    found = stamp_of(store, f"taxonomy_{schema.suffix(model)}")
    return dict(json.loads(found)) if found else {}


def path(store: Store, model: str, number: int) -> Path:
    """Where a taxonomy is kept."""
    file = f"taxonomy.{schema.suffix(model)}.{number}.safetensors"
    return store.root / "models" / file


def write(store: Store, model: str, number: int, fitted: Fitted) -> None:
    """Keep a taxonomy, whole or not at all."""
    projection, taxonomy = fitted.projection, fitted.taxonomy
    regimes = taxonomy.regimes
    basis = projection.basis
    held = {name: getattr(basis, name) for name in _BASIS} if basis else {}
    held |= {
        "steps": taxonomy.calendar.steps.astype(np.int64),
        "paths": np.stack([each.path for each in regimes]),
        "parents": np.array([each.parent for each in regimes], np.int32),
        "levels": np.array([each.level for each in regimes], np.int32),
        "sizes": np.array([each.size for each in regimes], np.int32),
        "cohesions": np.array([each.cohesion for each in regimes], np.float32),
        "members": np.frombuffer("\n".join(fitted.members).encode(), np.uint8),
    }
    calendar = taxonomy.calendar
    said = {
        "kind": KIND,
        "model": model,
        "space": projection.space.label if projection.space else RAW,
        "width_days": repr(calendar.width_days),
        "bridge_days": repr(calendar.bridge_days),
        "reach_days": repr(calendar.reach_days),
        "folded": json.dumps(calendar.folded),
        "band": json.dumps(taxonomy.band),
        "notes": json.dumps(taxonomy.notes),
        "min_clear": repr(fitted.min_clear),
        "since": str(fitted.since),
        "until": str(fitted.until),
    }
    arrays.write(path(store, model, number), held, said)


def read(store: Store, model: str, number: int) -> Fitted:
    """A taxonomy as it was fitted.

    Raises:
        ArchiveError: it is not there, damaged, or was fitted in a space that is not.
    """
    target = path(store, model, number)
    held, said = arrays.load(
        target, f"the taxonomy of {model}", "run terradrift taxonomy to fit another"
    )
    if said.get("kind") != KIND:
        raise ArchiveError(
            f"expected {KIND} in {target}, got {said.get('kind')}; run terradrift taxonomy "
            "to fit another"
        )
    space = said["space"]
    projection = Projection(
        Basis(*(held[name] for name in _BASIS)) if "axes" in held else None,
        None if space == RAW else spaces.held(store, model, space),
    )
    calendar = Calendar(
        held["steps"].astype("datetime64[D]"),
        float(said["width_days"]),
        float(said["bridge_days"]),
        float(said["reach_days"]),
        folded=json.loads(said["folded"]),
    )
    columns = (held[name] for name in ("parents", "levels", "sizes", "cohesions"))
    regimes = tuple(
        Regime(number, int(parent), int(level), int(size), float(cohesion), mean)
        for number, (parent, level, size, cohesion, mean) in enumerate(
            zip(*columns, held["paths"], strict=True)
        )
    )
    taxonomy = Taxonomy(
        calendar, regimes, json.loads(said["band"]), tuple(json.loads(said["notes"]))
    )
    return Fitted(
        projection,
        taxonomy,
        float(said["min_clear"]),
        np.datetime64(said["since"], "D"),
        np.datetime64(said["until"], "D"),
        np.array(held["members"].tobytes().decode().split("\n"), np.str_),
    )


def sample_of(parts: list[Paths]) -> Paths:
    """Several paths as one."""
    return Paths(
        np.concatenate([each.patch_ids for each in parts]),
        np.concatenate([each.values for each in parts]),
        np.concatenate([each.known for each in parts]),
        np.concatenate([each.n_clear for each in parts]),
    )
