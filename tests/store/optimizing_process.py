"""An archive filled and optimized in a process of its own, to be killed at any moment."""

from collections.abc import Iterable
from datetime import timedelta

import numpy as np

from terradrift.store.optimize import optimize
from terradrift.store.tables import Store
from terradrift.store.units import Writer
from tests.store import made


def fill(store: Store, tiles: int, days: Iterable[int], **unit) -> None:
    """Every tile on every day, one commit per day."""
    with Writer(store, made.MODEL, made.columns(), flush_bytes=1 << 30) as writer:
        for day in days:
            for tile in range(tiles):
                batch = made.unit(tile, day, **unit)
                writer.add(made.tile_name(tile), (made.scene_name(day),), batch)
            writer.flush()


def disturb_and_optimize(root: str) -> None:
    """Put the rows out of order, then optimize."""
    store = Store.open(root)
    rows = store.scan(made.TABLE).read_all()
    store.overwrite(made.TABLE, rows.take(np.arange(len(rows))[::-1]))
    optimize(store, keep=timedelta(seconds=0.5))
