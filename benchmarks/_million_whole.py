"""Rows of the simulated archive of `_million.py` that are of all of it: events, kinds ..."""

import _million_drawn as drawn
import numpy as np
import pyarrow as pa
import shapely
from _million_plan import GRID, GROUNDS, KINDS, ORBITS, PATHS, STAYING, Plan

from terradrift import schema
from terradrift.archive import places
from terradrift.detect.events import outline


def of_all(plan: Plan, totals: drawn.Totals) -> dict[str, pa.Table]:
    """Scenes, events, kinds and taxonomy."""
    return {
        "scenes": drawn.fitted(_scenes(plan), schema.scenes()),
        "events": drawn.fitted(_events(plan, totals), schema.events()),
        "kinds": drawn.fitted(_kinds(totals), schema.kinds()),
        "taxonomy": drawn.fitted(_taxonomy(totals), schema.taxonomy()),
    }


def _scenes(plan: Plan) -> pa.Table:
    corners = [GRID.corners(tile.epsg, tile.row, tile.col) for tile in plan.tiles]
    low = np.min([one.min(axis=(0, 1)) for one in corners], axis=0)
    high = np.max([one.max(axis=(0, 1)) for one in corners], axis=0)
    count = ORBITS * plan.dates
    whole = np.full(count, shapely.box(*low, *high), object)
    ground = places.columns(whole)
    return pa.table(
        {
            "scene_id": pa.array([f"SIM_{one:04d}" for one in range(count)]),
            "datetime": places.instants(plan.days),
            "collection": drawn.same("simulated", count),
            "constellation": drawn.same("sentinel-2", count),
            "cloud_percent": np.zeros(count, np.float32),
            "gsd": np.full(count, GRID.gsd, np.float32),
            "crs": drawn.same("EPSG:32631", count),
            "bbox": ground["bbox"],
            "geometry": ground["geometry"],
            "bands": pa.array([list(drawn.BANDS)] * count),
            "run_id": drawn.same(drawn.RUN, count),
        }
    )


def _events(plan: Plan, totals: drawn.Totals) -> pa.Table:
    number, event = np.unique(np.concatenate(totals.event), return_inverse=True)
    score, z = np.concatenate(totals.score), np.concatenate(totals.z)
    onset, spectral = np.concatenate(totals.onset), np.concatenate(totals.spectral)
    count = np.bincount(event)
    order = np.lexsort((score, event))
    peak = order[np.cumsum(count) - 1]
    start = np.cumsum(count) - count
    by_strength = np.lexsort((number, -score[peak]))
    rank = np.empty(len(number), np.int64)
    rank[by_strength] = np.arange(1, len(number) + 1)
    means = np.column_stack([np.bincount(event, one) / count for one in spectral.T])
    squares = np.unique(event * (1 << 32) + np.concatenate(totals.patch))
    patches = np.bincount(squares >> 32)
    kind = plan.events["kind"][number]
    shapes = outline(np.concatenate(totals.corners), event)
    found = pa.table(
        {
            "event_id": pa.array(drawn.events_named(number), pa.string()),
            "rank": rank.astype(np.int32),
            "start": places.instants(np.minimum.reduceat(onset[order], start)),
            "peak": places.instants(onset[peak]),
            "end": places.instants(np.maximum.reduceat(onset[order], start)),
            "n_patches": patches.astype(np.int32),
            "area_km2": patches * GRID.patch_size**2 / 1e6,
            "max_score": score[peak].astype(np.float32),
            "max_z": np.maximum.reduceat(z[order], start).astype(np.float32),
            "min_p_value": np.power(10.0, -score[peak] / 5).astype(np.float32),
            "persistence": pa.array(STAYING).take(
                pa.array(plan.events["stays"][number])
            ),
            "kind": kind.astype(np.int32),
            "label": pa.array([one[0] for one in KINDS]).take(pa.array(kind)),
            **drawn.spectral(means),
            **places.columns(shapes),
            "run_id": drawn.same(drawn.RUN, len(number)),
        }
    )
    return found.take(pa.array(by_strength))


def _kinds(totals: drawn.Totals) -> pa.Table:
    size, count = totals.kinds, len(KINDS)
    share = size / max(size.sum(), 1)
    rarity, magnitude = 1 - share, np.linalg.norm(drawn.STEP, axis=1)
    rank = np.empty(count, np.int32)
    rank[np.argsort(-rarity * magnitude, kind="stable")] = np.arange(1, count + 1)
    return pa.table(
        {
            "kind": np.arange(count, dtype=np.int32),
            "role": drawn.same("kind", count),
            "rank": rank,
            "size": size.astype(np.int32),
            "share": share.astype(np.float32),
            "stability": np.linspace(0.3, 0.1, count).astype(np.float32),
            "rarity": rarity.astype(np.float32),
            "magnitude": magnitude.astype(np.float32),
            **drawn.spectral(drawn.SPECTRAL),
            "label": pa.array([kind[0] for kind in KINDS]),
            "fate": drawn.same("born", count),
            "exemplars": pa.array(totals.exemplars, pa.list_(pa.string())),
            "centroid": pa.array(drawn.STEP.astype(np.float32).tolist()),
            "fit": np.ones(count, np.int32),
            "run_id": drawn.same(drawn.RUN, count),
        }
    )


def _taxonomy(totals: drawn.Totals) -> pa.Table:
    grounds, paths = len(GROUNDS), len(drawn.PATH)
    size = np.concatenate(
        [totals.paths.reshape(grounds, PATHS).sum(axis=1), totals.paths]
    )
    centre = np.concatenate(
        [drawn.PATH.reshape(grounds, PATHS, -1).mean(axis=1), drawn.PATH]
    )
    names = [
        *GROUNDS,
        *(f"{one}, path {at + 1}" for one in GROUNDS for at in range(PATHS)),
    ]
    of_ground = np.repeat(np.arange(grounds), PATHS)
    parent = np.concatenate([np.zeros(grounds, np.int64), of_ground])
    count = grounds + paths
    some = [[] for _ in GROUNDS] + totals.some_of
    for path, ground in enumerate(of_ground):
        some[ground] = (some[ground] + totals.some_of[path])[:5]
    return pa.table(
        {
            "regime": np.arange(count, dtype=np.int32),
            "parent": pa.array(
                parent.astype(np.int32), mask=np.arange(count) < grounds
            ),
            "level": np.repeat([1, 2], [grounds, paths]).astype(np.int32),
            "size": size.astype(np.int32),
            "share": (size / totals.patches).astype(np.float32),
            "cohesion": np.full(count, 0.3, np.float32),
            "label": pa.array(names),
            "representatives": pa.array(some, pa.list_(pa.string())),
            "centroid": pa.array(centre.astype(np.float32).tolist()),
            "n_steps": np.ones(count, np.int32),
            "dimensions": np.full(count, drawn.DIMENSIONS, np.int32),
            "run_id": drawn.same(drawn.RUN, count),
        }
    )
