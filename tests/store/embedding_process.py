"""A whole `embed` of toy units in a process of its own, to be killed at any moment."""

import sys
from pathlib import Path

import pyarrow as pa

from terradrift.store.tables import Store
from terradrift.store.units import Writer, done
from tests.store import made

TILES = 3
DAYS = 8


def units() -> list[tuple[int, tuple[str, ...], pa.RecordBatch]]:
    """Three tiles on eight days, units without rows, and second scenes of a day."""
    found = []
    for day in range(DAYS):
        for tile in range(TILES):
            scenes = (made.scene_name(day), f"{made.scene_name(day)}-beside")
            patches = 0 if (day + tile) % 5 == 0 else 32
            clear = [40.0 + 7 * ((day + tile + p) % 8) for p in range(patches)]
            batch = made.unit(tile, day, patches=patches, clear=clear)
            found.append((tile, scenes, batch))
    for day in range(0, DAYS, 2):
        for tile in range(TILES):
            late = f"{made.scene_name(day)}-late"
            batch = made.unit(tile, day, patches=24, scene=late, clear=65.0, hour=11)
            found.append((tile, (late,), batch))
    return found


def embed(root: str, flush_bytes: int) -> None:
    """Do what is not done yet, as the verb does."""
    store = Store.open(root)
    before = done(store, made.MODEL)
    with Writer(store, made.MODEL, made.columns(), flush_bytes=flush_bytes) as writer:
        for tile, scenes, batch in units():
            name = made.tile_name(tile)
            if any((scene, name) not in before for scene in scenes):
                writer.add(name, scenes, batch)


if __name__ == "__main__":
    embed(str(Path(sys.argv[1])), int(sys.argv[2]))
