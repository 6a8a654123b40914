"""An archive of changes of planted kinds, grouped into events."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift.grid import Grid
from terradrift.store.tables import Settings, Store
from tests.query.conftest import (
    DIMENSIONS,
    MODEL,
    SIDE,
    SUFFIX,
    changes_table,
    embeddings_table,
    instants,
    patches_table,
    place,
    scenes_table,
    table,
)

COUNT = 240
OF_EVENT = 3
"""Changes of one event."""
KINDS = 4


def kinds(count: int = COUNT) -> np.ndarray:
    """(count,) planted kind of each change; an event is of one kind."""
    return np.arange(count) // OF_EVENT % KINDS


def rows(count: int = COUNT, seed: int = 5) -> pa.Table:
    random = np.random.default_rng(seed)
    centres = np.eye(DIMENSIONS)[:KINDS]
    delta = centres[kinds(count)] + 0.25 * random.normal(size=(count, DIMENSIONS))
    made = changes_table(count, seed, delta.astype(np.float16))
    event = pa.array([f"event-{i // OF_EVENT:04d}" for i in range(count)])
    at = made.schema.get_field_index("event_id")
    return made.set_column(at, "event_id", event)


def events(count: int = COUNT) -> pa.Table:
    number = np.arange(count // OF_EVENT)
    first = number * OF_EVENT
    return table(
        {
            "event_id": pa.array([f"event-{i:04d}" for i in number]),
            "rank": pa.array(number + 1),
            "start": instants(
                np.datetime64("2018-04-10", "us") + (first % 200).astype("m8[D]")
            ),
            **place(first // SIDE % SIDE, first % SIDE),
        },
        schema.events(),
    )


def store(folder: Path) -> Store:
    made = Store.create(folder / "judged.td", Settings(Grid(160), model=MODEL))
    made.append("scenes", scenes_table())
    made.append("patches", patches_table())
    made.append(f"embeddings_{SUFFIX}", embeddings_table())
    made.append(f"changes_{SUFFIX}", rows())
    made.append(f"events_{SUFFIX}", events())
    return made
