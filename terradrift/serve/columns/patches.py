"""The patches of a generation in narrow columns: 60 bytes each, and their ids."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.serve.columns import squares
from terradrift.serve.columns.changes import NONE
from terradrift.serve.columns.squares import Squares

if TYPE_CHECKING:
    from terradrift.serve.held import Generation, Held
    from terradrift.store.tables import Store

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class Patches:
    """`n` patches along the curve; all columns are of equal length."""

    squares: Squares
    score: NDArray[np.float32]
    """As `patch_changes.score`, of its strongest candidate; NaN where it is not judged."""
    regime: NDArray[np.int32]
    """`NONE` where it has none, like `ground`."""
    ground: NDArray[np.int32]
    patch_id: pa.LargeStringArray

    def __len__(self) -> int:
        return len(self.regime)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        arrays: list[NDArray[Any]] = [self.score, self.regime, self.ground]
        arrays += [self.squares.key, self.squares.corners]
        return sum(one.nbytes for one in arrays) + int(self.patch_id.nbytes)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """(n,) which patches have a score."""
        return ~np.isnan(self.score)


def of(held: "Held", generation: "Generation") -> Patches:
    """The columns of a generation; made when first asked for."""
    tables = ("patches", *map(generation.table, ("patch_changes", "regimes")))
    stamps = tuple(generation.stamps.get(table) for table in tables)
    store = generation.archive.store
    made: Patches = held.columns.get(
        ("patches", tables, stamps), lambda: build(store, *tables)
    )
    return made


def build(store: "Store", patches: str, judged: str, regimes: str) -> Patches:
    """Read the tables of patches, of their strongest candidates and of their regimes.

    Those that are not there are as if they had no row.
    """
    corners = [np.empty((0, 4, 2), np.int32)]
    names = [pa.array([], pa.string())]
    if store.exists(patches):
        columns = ["patch_id", "geometry"]
        for batch in store.scan(patches, columns, batch_size=_BATCH_ROWS):
            corners.append(squares.of_wkb(batch.column("geometry"), patches))
            names.append(batch.column("patch_id"))
    placed, order = squares.sort(np.concatenate(corners))
    ids = pa.chunked_array(names).cast(pa.large_string()).combine_chunks()
    score = _beside(store, judged, ids, ["score"])["score"]
    found = _beside(store, regimes, ids, ["regime", "ground"])
    numbers = {name: _whole(column)[order] for name, column in found.items()}
    return Patches(
        squares=placed,
        score=np.asarray(score.to_numpy(zero_copy_only=False), np.float32)[order],
        regime=numbers["regime"],
        ground=numbers["ground"],
        patch_id=ids.take(pa.array(order)),
    )


def _beside(
    store: "Store", table: str, ids: pa.LargeStringArray, columns: list[str]
) -> dict[str, pa.Array]:
    """Columns of the rows of `ids` in another table; null where it has none."""
    if not store.exists(table):
        return {name: pa.nulls(len(ids), pa.float32()) for name in columns}
    rows = store.scan(table, ["patch_id", *columns], batch_size=_BATCH_ROWS).read_all()
    there = rows["patch_id"].cast(pa.large_string()).combine_chunks()
    # Tables are written in one order as a rule.
    at = None if there.equals(ids) else pc.index_in(ids, value_set=there)
    held = {name: rows[name].combine_chunks() for name in columns}
    return held if at is None else {name: one.take(at) for name, one in held.items()}


def _whole(column: pa.Array) -> NDArray[np.int32]:
    filled = column.cast(pa.int32()).fill_null(NONE)
    return np.asarray(filled.to_numpy(zero_copy_only=False), np.int32)
