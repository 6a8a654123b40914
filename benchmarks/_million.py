"""A simulated archive of a million changes and more, straight into its tables.

    python benchmarks/_million.py FOLDER [--changes 1000000] [--dates 8]

Scenes are named but have no pixels. Patches lie in two UTM zones side by side; vectors of
16 dimensions tell ground and kinds apart. The same arguments give the same rows.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import _million_drawn as drawn
import _million_rows as rows
import _million_whole as whole
import pyarrow as pa
from _million_plan import GRID, Plan

from terradrift import schema
from terradrift.archive.runs import recorded
from terradrift.store.tables import Settings, Store

TILES_AT_ONCE = 64


def make(folder: Path, changes: int = 1_000_000, dates: int = 8) -> Store:
    """The archive, in a new folder; streams, some hundreds of megabytes of memory."""
    plan = Plan(changes, dates)
    held = Settings(
        GRID, bands=drawn.BANDS, constellation="sentinel-2", model=drawn.MODEL
    )
    store = Store.create(folder, held)
    asked = {"changes": changes, "dates": dates}
    with recorded(store, "simulate", asked) as run:
        totals = drawn.Totals()
        for start in range(0, len(plan.tiles), TILES_AT_ONCE):
            blocks: dict[str, list[pa.Table]] = defaultdict(list)
            for tile in plan.tiles[start : start + TILES_AT_ONCE]:
                for name, block in rows.of_tile(plan, tile, totals).items():
                    blocks[name].append(block)
            for name, wanted in rows.SCHEMAS.items():
                together = pa.concat_tables(blocks[name])
                store.append(_named(name), drawn.fitted(together, wanted))
        for name, block in whole.of_all(plan, totals).items():
            store.append(_named(name), block)
        run.rows = totals.changes
        run.message = f"{totals.changes:,} changes in {totals.patches:,} patches"
    if totals.changes < changes:
        raise RuntimeError(f"expected {changes} changes, made {totals.changes}")
    return store


def _named(table: str) -> str:
    plain = table in ("scenes", "patches")
    return table if plain else f"{table}_{schema.suffix(drawn.MODEL)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--changes", type=int, default=1_000_000)
    parser.add_argument("--dates", type=int, default=8, help="of each tile")
    options = parser.parse_args()
    wall, cpu = time.perf_counter(), time.process_time()
    store = make(options.folder, options.changes, options.dates)
    counts = {table: store.count(table) for table in store.tables()}
    spent = {
        "seconds": round(time.perf_counter() - wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }
    print(json.dumps(spent | {"rows": counts}))


if __name__ == "__main__":
    main()
