"""What is drawn of a tile of the simulated archive, what is added up, and pieces of columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from _million_plan import GROUNDS, KINDS, PATHS, SEED, Happened, Plan, Tile

from terradrift.archive import places

MODEL = "simulated"
RUN = "simulated"
DIMENSIONS = 16
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
NO_KIND = 0.06
"""Share of changes that are of no kind."""
LEAST_SCORE = 8.0
UNJUDGED = 0.01
CONTROLS = 6

_RNG = np.random.default_rng(SEED + 3)
PATH = _RNG.normal(0, 0.25, (len(GROUNDS) * PATHS, DIMENSIONS)) + np.repeat(
    _RNG.normal(0, 0.5, (len(GROUNDS), DIMENSIONS)), PATHS, axis=0
)
STEP = _RNG.normal(0, 0.3, (len(KINDS), DIMENSIONS))
SPECTRAL = np.array([kind[1:] for kind in KINDS])
GREEN = np.repeat([0.72, 0.55, 0.5, 0.2], PATHS)


class Totals:
    """What is added up while tiles go by: squares and the sums of each event."""

    def __init__(self) -> None:
        self.changes = self.patches = 0
        self.kinds = np.zeros(len(KINDS), np.int64)
        self.paths = np.zeros(len(PATH), np.int64)
        self.exemplars: list[list[str]] = [[] for _ in KINDS]
        self.some_of: list[list[str]] = [[] for _ in PATH]
        self.event: list[np.ndarray] = []
        self.corners: list[np.ndarray] = []
        self.score: list[np.ndarray] = []
        self.z: list[np.ndarray] = []
        self.onset: list[np.ndarray] = []
        self.after: list[np.ndarray] = []
        self.spectral: list[np.ndarray] = []
        self.patch: list[np.ndarray] = []


@dataclass(frozen=True)
class Drawn:
    """What is drawn of a tile of n patches and m changes, before it becomes columns."""

    plan: Plan
    tile: Tile
    rng: np.random.Generator
    ground: Mapping[str, pa.Array]
    """Columns of its patches."""
    base: np.ndarray
    """(n, d), vectors of undisturbed ground."""
    green: np.ndarray
    """(n,), its NDVI."""
    happened: Happened
    kind: np.ndarray
    """(m,), -1 for none; like the others of changes."""
    score: np.ndarray
    step: np.ndarray
    """(m, d)"""
    spectral: np.ndarray
    """(m, 3), what NDVI, NBR and NDWI did."""


def fitted(given: pa.Table, wanted: pa.Schema) -> pa.Table:
    """`given` in the wanted schema; columns not given are null."""
    count = len(given)
    columns = [
        given[field.name].cast(field.type)
        if field.name in given.column_names
        else pa.nulls(count, field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted)


def events_named(number: np.ndarray) -> list[str]:
    """Ids of events, as `detect` writes them."""
    names: dict[int, str] = {}
    for one in np.unique(number).tolist():
        digest = blake2b(f"{SEED}/{one}".encode(), digest_size=6).hexdigest()
        names[one] = f"event-{digest}"
    return [names[one] for one in number.tolist()]


def spectral(values: np.ndarray) -> dict[str, np.ndarray]:
    names = ("d_ndvi", "d_nbr", "d_ndwi")
    return {name: values[:, at].astype(np.float32) for at, name in enumerate(names)}


def moment(instants: np.ndarray, none: np.ndarray) -> pa.Array:
    return places.instants(np.where(none, np.datetime64("NaT"), instants))


def same(word: str, count: int) -> pa.Array:
    return pa.array([word]).take(pa.array(np.zeros(count, np.int64)))


def some(found: list[str], one: str) -> None:
    if len(found) < 5:
        found.append(one)
