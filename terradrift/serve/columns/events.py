"""The events of a generation: what lists sort by, and outlines."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from terradrift.serve.columns import mercator
from terradrift.serve.columns.changes import NONE, Changes
from terradrift.serve.kept import Kept, nbytes

if TYPE_CHECKING:
    from terradrift.serve.held import Generation, Held
    from terradrift.store.tables import Store

_READ = ("event_id", "rank", "start", "area_km2", "max_score", "kind", "geometry")
_COUNTS_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class Events:
    """`e` events, the first rank first."""

    row: NDArray[np.int64]
    """Its row in the table."""
    rank: NDArray[np.int32]
    start: NDArray[np.int64]
    """Microseconds since 1970, UTC."""
    area_km2: NDArray[np.float64]
    score: NDArray[np.float32]
    kind: NDArray[np.int32]
    """`NONE` where it has none."""
    event_id: pa.Array
    geometry: pa.Array
    """WKB in degrees."""
    counts: Kept = field(
        default_factory=lambda: Kept(_COUNTS_BYTES, nbytes), repr=False
    )
    """What was counted by filters, and `peaks`."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns, outlines as they are stored and as they are drawn, about."""
        arrays: list[NDArray[Any]] = [self.row, self.rank, self.start, self.area_km2]
        arrays += [self.score, self.kind]
        held = sum(one.nbytes for one in arrays) + int(self.event_id.nbytes)
        return held + 2 * int(self.geometry.nbytes)

    @cached_property
    def outlines(self) -> NDArray[np.object_]:
        """(e,) shapes in units of `mercator`; 30 ms a thousand."""
        shapes = shapely.from_wkb(np.asarray(self.geometry.to_pylist(), dtype=object))
        made = shapely.transform(shapes, _units)
        return np.asarray(made, dtype=object)

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """(e, 4) west, north, east and south of outlines, in units."""
        return np.asarray(shapely.bounds(self.outlines)).reshape(-1, 4)

    def numbers(self, changes: Changes) -> NDArray[np.int64]:
        """(n,) which of these events each change is of; -1 for none."""
        at = pc.index_in(changes.events, value_set=self.event_id).fill_null(NONE)
        of = np.append(at.to_numpy().astype(np.int64), NONE)
        return np.asarray(of[changes.event])

    def passing(self, changes: Changes, passes: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(e,) how many changes of each event pass."""
        found = self.numbers(changes)[passes]
        return np.bincount(found + 1, minlength=len(self) + 1)[1:]

    def peaks(self, changes: Changes) -> NDArray[np.int64]:
        """(e,) where the strongest change of each event stands; -1 where it has none."""
        best = np.full(len(self) + 1, len(changes), np.int64)
        np.minimum.at(best, self.numbers(changes), changes.rank)
        return np.append(changes.by_rank, NONE)[best[:-1]].astype(np.int64)


def of(held: "Held", generation: "Generation") -> Events:
    """The events of a generation; made when first asked for."""
    table = generation.table("events")
    key = ("events", table, generation.stamps.get(table))
    made: Events = held.columns.get(key, lambda: build(generation.archive.store, table))
    return made


def build(store: "Store", table: str) -> Events:
    """Read a table of events; none where it is not there."""
    if store.exists(table):
        rows = store.scan(table, list(_READ)).read_all()
    else:
        rows = pa.table({name: pa.nulls(0, type_) for name, type_ in _TYPES.items()})
    ranks = rows["rank"].fill_null(np.iinfo(np.int32).max).to_numpy()
    order = np.argsort(ranks, kind="stable")
    rows = rows.take(pa.array(order)).combine_chunks()
    column = {name: rows[name].combine_chunks() for name in _READ}
    return Events(
        row=order,
        rank=np.asarray(ranks[order], np.int32),
        start=_filled(column["start"].cast(pa.int64()), 0).astype(np.int64),
        area_km2=_filled(column["area_km2"], 0.0).astype(np.float64),
        score=_filled(column["max_score"], 0.0).astype(np.float32),
        kind=_filled(column["kind"], NONE).astype(np.int32),
        event_id=column["event_id"],
        geometry=column["geometry"],
    )


_TYPES = {
    "event_id": pa.string(),
    "rank": pa.int32(),
    "start": pa.timestamp("us", tz="UTC"),
    "area_km2": pa.float64(),
    "max_score": pa.float32(),
    "kind": pa.int32(),
    "geometry": pa.binary(),
}


def _filled(column: pa.Array, value: float) -> NDArray[np.generic]:
    filled: NDArray[np.generic] = column.fill_null(value).to_numpy(zero_copy_only=False)
    return filled


def _units(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = mercator.x_of(degrees[:, 0]), mercator.y_of(degrees[:, 1])
    return np.stack([x, y], axis=-1).astype(np.float64)
