"""Rows of the simulated archive of `_million.py`, tile by tile."""

import numpy as np
import pyarrow as pa
import shapely
from _million_drawn import (
    DIMENSIONS,
    GREEN,
    LEAST_SCORE,
    MODEL,
    NO_KIND,
    PATH,
    RUN,
    SPECTRAL,
    STEP,
    Drawn,
    Totals,
    same,
    some,
)
from _million_judged import changes, patch_changes
from _million_observed import observed
from _million_plan import GRID, GROUNDS, PATHS, SEED, Plan, Tile

from terradrift import schema

SCHEMAS = {
    "patches": schema.patches(),
    "embeddings": schema.embeddings(DIMENSIONS, model=MODEL, revision="1"),
    "units": schema.units(),
    "scores": schema.scores(),
    "changes": schema.changes(DIMENSIONS),
    "patch_changes": schema.patch_changes(),
    "regimes": schema.regimes(),
}
"""Tables that are written tile by tile."""


def of_tile(plan: Plan, tile: Tile, totals: Totals) -> dict[str, pa.Table]:
    """Rows of one tile, by table; `totals` learns of them."""
    rng = np.random.default_rng((SEED, tile.epsg, int(tile.row[0]), int(tile.col[0])))
    count = len(tile.row)
    happened = plan.changes_of(tile)
    path, clearly = plan.regimes(tile)
    ground = _ground(tile)
    base = PATH[path] + rng.normal(0, 0.05, (count, DIMENSIONS))
    green = GREEN[path] + rng.normal(0, 0.03, count)
    kind = np.where(
        rng.random(len(happened.patch)) < NO_KIND,
        -1,
        plan.events["kind"][happened.event],
    )
    strength = plan.events["strength"][happened.event]
    score = LEAST_SCORE + strength * happened.depth**0.7 * rng.lognormal(
        0, 0.15, len(kind)
    )
    size = 0.5 + 0.5 * happened.depth[:, None]
    of = plan.events["kind"][happened.event]
    step = size * STEP[of] + rng.normal(0, 0.06, (len(kind), DIMENSIONS))
    spectral = size * SPECTRAL[of] + rng.normal(0, 0.03, (len(kind), 3))
    drawn = Drawn(
        plan, tile, rng, ground, base, green, happened, kind, score, step, spectral
    )
    found = {"patches": pa.table(ground), "changes": changes(drawn, totals)}
    found |= observed(drawn) | {"patch_changes": patch_changes(drawn)}
    found["regimes"] = pa.table(
        {
            "patch_id": ground["patch_id"],
            "tile": ground["tile"],
            "regime": (len(GROUNDS) + path).astype(np.int32),
            "ground": (path // PATHS).astype(np.int32),
            "distance": (0.2 + rng.gamma(2, 0.1, count)).astype(np.float32),
            "margin": clearly.astype(np.float32),
            "n_clear": np.full(count, plan.dates, np.int32),
            "n_flips": np.minimum(
                np.bincount(happened.patch, minlength=count), 2
            ).astype(np.int32),
            "run_id": same(RUN, count),
        }
    )
    totals.patches += count
    np.add.at(totals.paths, path, 1)
    for at in np.unique(path, return_index=True)[1]:
        some(totals.some_of[path[at]], ground["patch_id"][int(at)].as_py())
    return found


def _ground(tile: Tile) -> dict[str, pa.Array]:
    count = len(tile.row)
    ids = GRID.patch_ids(tile.epsg, tile.row, tile.col)
    corners = GRID.corners(tile.epsg, tile.row, tile.col)
    centres = GRID.centers(tile.epsg, tile.row, tile.col)
    low, high = corners.min(axis=1), corners.max(axis=1)
    sides = [pa.array(side) for side in (low[:, 0], low[:, 1], high[:, 0], high[:, 1])]
    return {
        "patch_id": pa.array(ids, pa.string()),
        "tile": same(tile.name, count),
        "crs": same(f"EPSG:{tile.epsg}", count),
        "row": pa.array(tile.row.astype(np.int32)),
        "col": pa.array(tile.col.astype(np.int32)),
        "longitude": pa.array(centres[:, 0]),
        "latitude": pa.array(centres[:, 1]),
        "bbox": pa.StructArray.from_arrays(sides, fields=list(schema.BBOX)),
        "geometry": pa.array(shapely.to_wkb(shapely.polygons(corners)), pa.binary()),
    }
