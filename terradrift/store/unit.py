"""One unit of work as it is stored: its rows, and its entries in the ledger (pure)."""

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift.store import names, sameday
from terradrift.store.door import ordered

Pair = tuple[str, str]
"""`scene_id` and tile."""
Entry = tuple[str, str, int, str | None]
"""`scene_id`, tile, rows and run: a row of the ledger."""


def checked(
    tile: str,
    scene_ids: tuple[str, ...],
    batch: pa.RecordBatch,
    columns: pa.Schema,
    table: str,
) -> pa.RecordBatch:
    """The rows of one unit as they are stored: whole, of this model, by patch.

    Raises:
        ModelMismatchError: the batch is of another model than the table.
        ValueError: rows of another tile or scene, or two of one patch and day.
    """
    claimed = batch.schema.metadata or {}
    if any(key.encode() in claimed for key in names.IDENTITY):
        names.check_model(columns, batch.schema, table)
    schema.check(batch.schema, columns, table)
    whole = ordered(batch, columns)
    _check_unit(tile, scene_ids, whole)
    # A block of patches then is one stretch of every unit, read without the others.
    return whole.sort_by("patch_id")


def _check_unit(tile: str, scene_ids: tuple[str, ...], batch: pa.RecordBatch) -> None:
    others = set(batch.column("tile").unique().to_pylist()) - {tile}
    if others:
        raise ValueError(f"unit of tile {tile} has rows of {sorted(map(str, others))}")
    foreign = set(batch.column("scene_id").unique().to_pylist()) - set(scene_ids)
    if foreign:
        raise ValueError(
            f"unit of {', '.join(scene_ids)} has rows of {sorted(map(str, foreign))}"
        )
    if batch.column("datetime").null_count or batch.column("patch_id").null_count:
        raise ValueError(f"unit of tile {tile} has rows without a patch_id or datetime")
    if empty := batch.column("embedding").null_count:
        raise ValueError(f"unit of tile {tile} has {empty} rows without a vector")
    patch = batch.column("patch_id").dictionary_encode().indices
    keys = np.column_stack(
        [patch.to_numpy(zero_copy_only=False), sameday.days(batch.column("datetime"))]
    )
    if len(np.unique(keys, axis=0)) != batch.num_rows:
        raise ValueError(
            f"unit of tile {tile} and {', '.join(scene_ids)} has two rows of one patch "
            "and day; expected one, the clearest"
        )


def entries(
    tile: str, scenes: list[str], batch: pa.RecordBatch, run_id: str | None
) -> list[Entry]:
    """The ledger's rows of one unit: of its `scenes`, with the rows each gave."""
    given = batch.column("scene_id").value_counts()
    rows = {str(pair["values"]): int(pair["counts"].as_py()) for pair in given}
    if run_id is None and batch.num_rows:
        run_id = batch.column("run_id")[0].as_py()
    return [(scene, tile, rows.get(scene, 0), run_id) for scene in scenes]
