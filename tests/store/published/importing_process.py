"""A whole import in a process of its own, committed in small steps, to be killed at any moment."""

import sys
from pathlib import Path

from terradrift.grid import Grid
from terradrift.store.published import arrive as tables
from terradrift.store.published.arrive import Asked
from terradrift.store.rasters import arrive as rasters
from terradrift.store.tables import Settings, Store

_STEP = 20_000


def run(what: str, root: str, source: str) -> None:
    grid = Grid(patch_size=160, gsd=10.0)
    place = Path(root)
    if not (place / "archive.json").exists():
        Store.create(place, Settings(grid=grid))
    store, asked = Store.open(place), Asked()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    if what == "rasters":
        opened = rasters.rasters([source], asked)
        rasters.pour(store, opened, flush_bytes=_STEP)
        return
    found = tables.tables([source], asked)
    rows = tables.gathered(found, asked, grid, place)
    tables.pour(store, found, asked, rows, flush_bytes=_STEP)


if __name__ == "__main__":
    run(*sys.argv[1:])
