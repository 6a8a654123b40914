"""Rows of the tables that `taxonomy` writes."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.archive.patch_changes import tiles
from terradrift.archive.taxonomy.norms import Left
from terradrift.archive.taxonomy.paths import Read
from terradrift.archive.taxonomy.tally import Tally
from terradrift.detect.taxonomy.assign import Assigned
from terradrift.detect.taxonomy.names import Name
from terradrift.detect.taxonomy.split import NONE
from terradrift.detect.taxonomy.tree import Taxonomy
from terradrift.grid import Grid

METHOD = "taxonomy"


def regimes(
    grid: Grid, run_id: str, read: Read, placed: Assigned, left: Left
) -> pa.RecordBatch:
    """Rows of `schema.regimes`, one per patch of a block, in its order."""
    n = len(read.paths)
    told = left.deviations
    turns = pa.nulls(n, pa.int32())
    last = pa.nulls(n, schema.INSTANT)
    if left.flips is not None:
        turns = pa.array(left.flips.count, pa.int32())
        instant = left.steps[np.maximum(left.flips.last, 0)].astype("datetime64[us]")
        never = np.datetime64("NaT", "us")
        last = places.instants(np.where(left.flips.last >= 0, instant, never))
    columns = [
        pa.array(read.paths.patch_ids, pa.string()),
        pa.array(tiles(grid, read.block.cells), pa.string()),
        _numbers(placed.regime),
        _numbers(placed.ground),
        places.nullable(placed.distance),
        places.nullable(placed.margin),
        pa.array(read.paths.n_clear, pa.int32()),
        places.nullable(_largest(left.beyond)),
        places.nullable(_largest(told.z)),
        turns,
        last,
        places.words(placed.reason),
        pa.array([run_id] * n, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema.regimes())


def anomalies(
    grid: Grid, run_id: str, model: str, read: Read, left: Left
) -> pa.RecordBatch:
    """Rows of `schema.anomalies`, one per observation of a block."""
    block, told = read.block, left.deviations
    row, date = np.nonzero(~np.isnat(block.times))
    n = len(row)
    instants = places.instants(block.times[row, date])
    scored = left.reason[row, date] == ""
    nowhere = pa.nulls(n, schema.INSTANT)
    reference = pa.compute.if_else(pa.array(scored), instants, nowhere)
    columns = {
        "patch_id": pa.array(block.patch_ids[row], pa.string()),
        "datetime": instants,
        "tile": pa.array(tiles(grid, block.cells)[row], pa.string()),
        "scene_id": pa.nulls(n, pa.string()),
        "clear_percent": places.nullable(block.clear_percent[row, date]),
        "method": pa.array([METHOD] * n, pa.string()),
        "model": pa.array([model] * n, pa.string()),
        "score": places.nullable(left.beyond[row, date]),
        "score_spatial": pa.nulls(n, pa.float32()),
        "z": places.nullable(told.z[row, date]),
        "p_value": places.nullable(told.p_value[row, date]),
        "cusum": pa.nulls(n, pa.float32()),
        "persistent": pa.nulls(n, pa.bool_()),
        "n_reference": pa.array(told.members[row, date], pa.int32()),
        "reference_start": reference,
        "reference_end": reference,
        "reason": places.words(left.reason[row, date]),
        "run_id": pa.array([run_id] * n, pa.string()),
    }
    wanted = schema.anomalies()
    return pa.RecordBatch.from_arrays(
        [columns[name] for name in wanted.names], schema=wanted
    )


def tree(found: Taxonomy, tally: Tally, names: Sequence[Name], run_id: str) -> pa.Table:
    """Rows of `schema.taxonomy`, one per regime; `names` in their order."""
    total = sum(int(tally.size[each.number]) for each in found.ground)
    steps = places.instants(found.calendar.steps).to_pylist()
    rows = [
        {
            "regime": each.number,
            "parent": None if each.parent == NONE else each.parent,
            "level": each.level,
            "size": int(tally.size[each.number]),
            "share": float(tally.size[each.number] / max(total, 1)),
            "cohesion": None if np.isnan(each.cohesion) else each.cohesion,
            "label": names[each.number].label,
            "description": names[each.number].description,
            "representatives": [name for _, name in tally.nearest[each.number]],
            "centroid": each.path.ravel().tolist(),
            "n_steps": each.path.shape[0],
            "dimensions": each.path.shape[1],
            "steps": steps,
            "run_id": run_id,
        }
        for each in found.regimes
    ]
    return pa.Table.from_pylist(rows, schema=schema.taxonomy())


def _largest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) largest of each row, NaN where none is known."""
    found = np.where(np.isfinite(values), values, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(found), found, np.nan)


def _numbers(values: NDArray[np.int32]) -> pa.Array:
    return pa.array(values, pa.int32(), mask=values == NONE)
