"""`space`: fit the space that a model's vectors are compared in, and keep it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema, space
from terradrift.archive.runs import Run
from terradrift.detect.settings import Settings
from terradrift.errors import ArchiveError
from terradrift.progress import stage
from terradrift.space import LEARNED, NAMES, RAW, Space
from terradrift.store import spaces
from terradrift.store.series import vectors_of
from terradrift.store.tables import Store

_MOST = 1 << 18
"""Vectors that a space is fitted on at most, evenly from the whole table."""
_BATCH = 4096
_CLEAR = f"clear_percent >= {Settings().min_clear:g}"
_LEAST = 2
"""Vectors that a space can be fitted on."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The space that an archive's vectors of one model are compared in."""

    model: str
    space: str
    """Label such as `whiten/1`, or `raw`."""
    dimensions: int
    observations: int
    """Vectors that it was fitted on; 0 for `raw`."""
    fresh: bool
    """False where it was so before."""

    def __str__(self) -> str:
        if self.space == RAW:
            return f"vectors of {self.model} are compared as they are"
        return (
            f"vectors of {self.model} are compared in {self.space}: {self.dimensions} "
            f"dimensions, fitted on {self.observations:,} observations"
        )


def about(store: Store, model: str) -> Chosen:
    """The space in use.

    Raises:
        ArchiveError: nothing is embedded under the model, or the space's file is damaged.
    """
    return _told(store, model, spaces.current(store, model), fresh=False)


def choose(
    store: Store, run: Run, model: str, name: str, *, quiet: bool = False
) -> Chosen:
    """Compare the model's vectors in the space `name` from now on.

    `raw`: as they are; `centre` or `whiten`: fitted anew on the archive's clear
    observations; `centre/1`: one that was fitted before. Scores and changes made before
    stay until `detect` runs again.

    Raises:
        ArchiveError: nothing is embedded under the model, or no such space was fitted.
        ValueError: no such space, or the vectors are too few or all the same.
    """
    if name == RAW or "/" in name:
        chosen = None if name == RAW else spaces.held(store, model, name)
    elif name == LEARNED:
        raise ValueError(
            f"{LEARNED} is learned by terradrift taxonomy --refine; then name the one to "
            f"compare in, such as {LEARNED}/1"
        )
    elif name not in NAMES:
        raise ValueError(f"a space is one of {', '.join((RAW, *NAMES))}, got {name!r}")
    else:
        chosen = _fitted(store, model, name, quiet=quiet)
    spaces.choose(store, model, chosen)
    told = _told(store, model, chosen, fresh=True)
    run.rows, run.message = told.observations, str(told)
    return told


def keep_for_states(store: Store, model: str, *, quiet: bool = False) -> list[str]:
    """Keep a space for searches that compare states, where none is kept nor chosen.

    It is not chosen: detection compares as before. Says what was done; nothing is where
    fewer than two observations are clear.
    """
    table = f"embeddings_{schema.suffix(model)}"
    chosen = schema.suffix(model) in store.settings.spaces
    if chosen or spaces.newest(store, model, spaces.STATES) is not None:
        return []
    if not store.exists(table) or store.count(table, _CLEAR) < _LEAST:
        return []
    fitted = _fitted(store, model, spaces.STATES, quiet=quiet)
    spaces.keep(store, model, fitted)
    told = (
        f"searches compare states of {model} in {fitted.label}, fitted on "
        f"{fitted.observations:,} observations"
    )
    return [told]


def _fitted(store: Store, model: str, name: str, *, quiet: bool) -> Space:
    dimensions = _dimensions(store, model)
    table = f"embeddings_{schema.suffix(model)}"
    rows = store.count(table, _CLEAR)
    days: list[np.datetime64] = []
    with stage("space", rows, "observations", quiet=quiet) as advance:

        def batches() -> Iterator[NDArray[np.floating]]:
            step, passed = -(-rows // _MOST) or 1, 0
            read = store.scan(
                table, ["embedding", "datetime"], _CLEAR, batch_size=_BATCH
            )
            for batch in read:
                vectors = vectors_of(batch.column("embedding"))
                some = slice(-passed % step, None, step)
                times = batch.column("datetime").cast(pa.int64()).to_numpy()[some]
                if len(times):
                    days.append(times.max().astype("datetime64[us]"))
                yield vectors[some]
                passed += len(vectors)
                advance(len(vectors))

        version = spaces.next_version(store, model, name)
        found = space.fit(name, batches(), dimensions, version)
    return replace(found, last_day=max(days).astype("datetime64[D]"))


def _told(store: Store, model: str, chosen: Space | None, *, fresh: bool) -> Chosen:
    dimensions = _dimensions(store, model)
    if chosen is None:
        return Chosen(model, RAW, dimensions, 0, fresh)
    if chosen.matrix is not None:
        dimensions = chosen.matrix.shape[1]
    return Chosen(model, chosen.label, dimensions, chosen.observations, fresh)


def _dimensions(store: Store, model: str) -> int:
    table = f"embeddings_{schema.suffix(model)}"
    if not store.exists(table):
        raise ArchiveError(
            f"{store.root} holds no embeddings of {model}; run terradrift embed first"
        )
    return int(store.dataset(table).schema.field("embedding").type.list_size)
