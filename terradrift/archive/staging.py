"""Rows of scores, kept on disk until all p-values of a day are known.

A q-value needs all p-values of its day, and a day lies in every block. So the rows wait in
a nameless file in the archive's folder, which is gone with the process whatever happens,
and go into the table in one commit.
"""

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.detect.block import Block
from terradrift.detect.discovery import Discoveries
from terradrift.grid import Grid
from terradrift.store.tables import Store

_COLUMNS = schema.scores()
_Q = _COLUMNS.get_field_index("q_value")
_P = _COLUMNS.get_field_index("p_value")
_WHEN = _COLUMNS.get_field_index("datetime")


def with_q_values(
    store: Store, blocks: Iterator[Block], grid: Grid, run_id: str
) -> Iterator[pa.RecordBatch]:
    """Rows of scores of all blocks; the first comes when the last block is done."""
    found = Discoveries()
    with TemporaryFile(dir=store.root) as file:
        with pa.ipc.new_stream(
            pa.PythonFile(file, "w"),
            _COLUMNS,
            options=pa.ipc.IpcWriteOptions(compression="zstd"),
        ) as sink:
            for block in blocks:
                batch = _rows(block, grid, run_id)
                found.add(_days(batch), _floats(batch, _P))
                sink.write_batch(batch)
        yield from _read(file, found)


def _read(file: IO[bytes], found: Discoveries) -> Iterator[pa.RecordBatch]:
    file.seek(0)
    for batch in pa.ipc.open_stream(file):
        q = found.q_values(_days(batch), _floats(batch, _P))
        columns = batch.columns
        columns[_Q] = places.nullable(q)
        yield pa.RecordBatch.from_arrays(columns, schema=_COLUMNS)


def _days(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """UTC days since 1970 of the rows."""
    instants = batch.column(_WHEN).cast(pa.int64()).to_numpy()
    days: NDArray[np.int64] = instants // 86_400_000_000
    return days


def _floats(batch: pa.RecordBatch, column: int) -> NDArray[np.float32]:
    values: NDArray[np.float32] = batch.column(column).to_numpy(zero_copy_only=False)
    return values


def _rows(block: Block, grid: Grid, run_id: str) -> pa.RecordBatch:
    """Rows of scores of one block, their q-values null."""
    row, day = np.nonzero(~np.isnat(block.times))
    epsg, cells_row, cells_col = block.cells.T
    tile = (
        grid.tile_of(int(epsg[0]), cells_row[:1], cells_col[:1])[0] if len(epsg) else ""
    )
    return pa.RecordBatch.from_arrays(
        _columns(block, row, day, str(tile), run_id), schema=_COLUMNS
    )


def _columns(
    block: Block,
    row: NDArray[np.int64],
    day: NDArray[np.int64],
    tile: str,
    run_id: str,
) -> list[pa.Array]:
    scores, at = block.scores, (row, day)
    constant = pa.DictionaryArray.from_arrays
    zeros = pa.array(np.zeros(len(row), np.int32))
    return [
        pa.array(block.patch_ids[row], pa.string()),
        places.instants(block.times[at]),
        constant(zeros, pa.array([tile], pa.string())).dictionary_decode(),
        places.nullable(block.clear_percent[at]),
        pa.array(scores.n_reference[at], pa.int32()),
        pa.array(scores.n_controls[at], pa.int32()),
        places.words(scores.reference[at]),
        places.nullable(scores.drift[at]),
        places.nullable(scores.z[at]),
        places.nullable(scores.p_value[at]),
        pa.nulls(len(row), pa.float32()),
        places.nullable(scores.lof[at]),
        places.nullable(scores.cusum[at]),
        places.nullable(scores.ewma[at]),
        places.words(scores.reason[at]),
        constant(zeros, pa.array([run_id], pa.string())).dictionary_decode(),
    ]
