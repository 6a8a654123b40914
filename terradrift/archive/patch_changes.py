"""What the whole history of each patch says, as rows of `patch_changes`."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.detect.block import Block
from terradrift.grid import Grid

_NEVER = np.datetime64("NaT", "us")


def rows(grid: Grid, run_id: str, block: Block) -> pa.RecordBatch:
    """Rows of `schema.patch_changes`, one per patch of a block, in its order."""
    patches, n = block.patches, len(block.patch_ids)
    first, last, largest = _reported(block, n)
    count = np.bincount(block.changes.row, minlength=n)
    columns = [
        pa.array(block.patch_ids, pa.string()),
        pa.array(tiles(grid, block.cells), pa.string()),
        pa.array(patches.n_clear, pa.int32()),
        pa.array(count, pa.int32()),
        places.instants(first),
        places.instants(last),
        places.instants(largest),
        places.nullable(patches.score),
        places.nullable(patches.p_value),
        places.nullable(patches.false_alarms),
        places.instants(patches.onset),
        places.words(patches.persistence),
        places.words(patches.reason),
        pa.array([run_id] * n, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema.patch_changes())


def tiles(grid: Grid, cells: NDArray[np.int64]) -> NDArray[np.str_]:
    """(n,) tile of each cell (n, 3)."""
    found = np.empty(len(cells), object)
    for epsg in np.unique(cells[:, 0]):
        here = cells[:, 0] == epsg
        found[here] = grid.tile_of(int(epsg), cells[here, 1], cells[here, 2])
    return found.astype(np.str_)


def _reported(
    block: Block, n: int
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Onsets (n,) of the first, last and largest change that is reported."""
    changes = block.changes
    first, last, largest = (np.full(n, _NEVER, "datetime64[us]") for _ in range(3))
    order = np.argsort(changes.onset, kind="stable")
    # Of several writes to one place the last one stays.
    last[changes.row[order]] = changes.onset[order]
    first[changes.row[order[::-1]]] = changes.onset[order[::-1]]
    order = np.argsort(changes.score, kind="stable")
    largest[changes.row[order]] = changes.onset[order]
    return first, last, largest
