"""The changes of a generation in narrow columns: 77 bytes each, and their ids."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.query.where import PERSISTENCE
from terradrift.serve.columns import inside, squares
from terradrift.serve.columns.squares import Squares
from terradrift.serve.kept import Kept, nbytes

if TYPE_CHECKING:
    from terradrift.serve.held import Generation, Held
    from terradrift.store.tables import Store

NONE = -1
"""Kind or event of a change that has none."""
UNKNOWN_DAY = np.iinfo(np.int32).min
"""Onset of a change that has none."""
NO_WORD = 255
"""Persistence of a change that has none."""

READ = ("change_id", "geometry", "score", "kind", "onset", "persistence", "event_id")
"""Columns of the table that are read."""
_BATCH_ROWS = 1 << 16
_MASKS_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Changes:
    """`n` changes along the curve; all columns are of equal length."""

    squares: Squares
    """40 bytes a change."""
    score: NDArray[np.float32]
    """As `changes.score`; 0 where it is null."""
    kind: NDArray[np.int32]
    """`NONE` where it has none."""
    onset: NDArray[np.int32]
    """Days since 1970, UTC; `UNKNOWN_DAY` where it has none."""
    persistence: NDArray[np.uint8]
    """Number of the word in `words`; `NO_WORD` where it has none."""
    event: NDArray[np.int32]
    """Number of the event in `events`; `NONE` where it has none."""
    rank: NDArray[np.int32]
    """0 the strongest; of equal scores the lower `change_id` goes first."""
    by_rank: NDArray[np.int32]
    """Where the change of each rank stands."""
    row: NDArray[np.int32]
    """Its row in the table."""
    change_id: pa.LargeStringArray
    words: tuple[str, ...]
    events: pa.Array
    """(e,) ids of the events that changes are of."""
    masks: Kept = field(default_factory=lambda: Kept(_MASKS_BYTES, nbytes), repr=False)
    """What passes filters, see `serve.filters`."""
    places: Kept = field(default_factory=lambda: Kept(_MASKS_BYTES, nbytes), repr=False)
    """Places among the matches of searches."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        arrays: list[NDArray[Any]] = [
            self.score,
            self.kind,
            self.onset,
            self.persistence,
            self.event,
        ]
        arrays += [self.rank, self.by_rank, self.row]
        arrays += [self.squares.key, self.squares.corners]
        return sum(one.nbytes for one in arrays) + int(self.change_id.nbytes)

    @cached_property
    def everything(self) -> NDArray[np.bool_]:
        """(n,) a mask that all pass."""
        return np.ones(len(self), bool)

    @cached_property
    def by_onset(self) -> NDArray[np.int32]:
        """Where changes stand by onset, the latest first, of equal ones the strongest."""
        known = self.onset != UNKNOWN_DAY
        last = int(self.onset.max(initial=0))
        ago = np.where(known, last - self.onset.astype(np.int64), -1)
        ago[~known] = ago.max(initial=0) + 1
        # Few values sort several times as fast.
        small = ago.max(initial=0) <= np.iinfo(np.uint16).max
        ago = ago[self.by_rank].astype(np.uint16 if small else np.int64)
        return self.by_rank[np.argsort(ago, kind="stable")]

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """Boxes of neighbours, see `inside`."""
        return inside.blocks(self.squares.corners)

    def ids(self, at: NDArray[np.integer]) -> list[str]:
        """Ids of the changes that stand at (k,) places."""
        found: list[str] = self.change_id.take(pa.array(at)).to_pylist()
        return found


def of(held: "Held", generation: "Generation") -> Changes:
    """The columns of a generation; made when first asked for.

    Raises:
        ArchiveError: the table cannot be read.
    """
    table = generation.table("changes")
    key = ("changes", table, generation.stamps.get(table))
    made: Changes = held.columns.get(
        key, lambda: build(generation.archive.store, table)
    )
    return made


def build(store: "Store", table: str) -> Changes:
    """Read a table of changes, but for its vectors; no change where it is not there.

    Raises:
        ArchiveError: it cannot be read, or a change has no place.
    """
    if not store.exists(table):
        return collect([], table)
    return collect(store.scan(table, list(READ), batch_size=_BATCH_ROWS), table)


def collect(batches: Iterable[pa.RecordBatch], table: str) -> Changes:
    """Columns of a stream of rows, which have the columns `READ`; `table` is for what is said.

    Raises:
        ArchiveError: a change has no place.
    """
    read = _Read()
    for batch in batches:
        read.add(batch, table)
    return read.sorted()


class _Read:
    """What was read of a table, batch by batch, in its own order."""

    def __init__(self) -> None:
        self._corners = [np.empty((0, 4, 2), np.int32)]
        self._numbers: dict[str, list[NDArray[np.generic]]] = {
            "score": [np.empty(0, np.float32)],
            "kind": [np.empty(0, np.int32)],
            "onset": [np.empty(0, np.int32)],
        }
        self._texts: dict[str, list[pa.Array]] = {
            name: [pa.array([], pa.string())]
            for name in ("change_id", "persistence", "event_id")
        }

    def add(self, batch: pa.RecordBatch, table: str) -> None:
        self._corners.append(squares.of_wkb(batch.column("geometry"), table))
        days = batch.column("onset").cast(pa.date32(), safe=False).cast(pa.int32())
        numbers = {
            "score": np.nan_to_num(_filled(batch.column("score"), 0.0)),
            "kind": _filled(batch.column("kind"), NONE),
            "onset": _filled(days, UNKNOWN_DAY),
        }
        for name, held in self._numbers.items():
            held.append(numbers[name].astype(held[0].dtype))
        for name, texts in self._texts.items():
            texts.append(batch.column(name))

    def sorted(self) -> Changes:
        """The columns along the curve; what was read is let go on the way."""
        placed, order = squares.sort(_whole(self._corners))
        numbers = {name: _whole(held)[order] for name, held in self._numbers.items()}
        take = pa.array(order)
        ids = pa.chunked_array(self._texts.pop("change_id")).cast(pa.large_string())
        ids = ids.combine_chunks().take(take)
        persistence, words = _coded(self._texts.pop("persistence"), PERSISTENCE)
        persistence[persistence < 0] = NO_WORD
        event, events = _coded(self._texts.pop("event_id"))
        by_rank = strongest(numbers["score"], ids)
        rank = np.empty(len(by_rank), np.int32)
        rank[by_rank] = np.arange(len(by_rank), dtype=np.int32)
        return Changes(
            squares=placed,
            score=numbers["score"],
            kind=numbers["kind"],
            onset=numbers["onset"],
            persistence=persistence.astype(np.uint8)[order],
            event=event[order],
            rank=rank,
            by_rank=by_rank,
            row=order.astype(np.int32),
            change_id=ids,
            words=tuple(words.to_pylist()),
            events=events,
        )


def _whole(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The parts in one, after which they are gone: memory holds a column twice at most."""
    whole: NDArray[Any] = np.concatenate(parts)
    parts.clear()
    return whole


def strongest(
    score: NDArray[np.float32], ids: pa.LargeStringArray
) -> NDArray[np.int32]:
    """(n,) places by falling score, of equal ones by their ids."""
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    again = falling[1:] == falling[:-1]
    tied = np.flatnonzero(np.append(again, False) | np.insert(again, 0, False))
    if len(tied):
        at = order[tied]
        named = pa.table({"score": score[at], "id": ids.take(pa.array(at))})
        keys = [("score", "descending"), ("id", "ascending")]
        order[tied] = at[pc.sort_indices(named, keys).to_numpy()]
    return order.astype(np.int32)


def _coded(
    chunks: list[pa.Array], first: tuple[str, ...] = ()
) -> tuple[NDArray[np.int32], pa.Array]:
    """Numbers of words, -1 for null, and the words: those of `first` in their order, then others."""
    coded = pa.chunked_array([pa.array(first, pa.string()), *chunks]).combine_chunks()
    coded = coded.dictionary_encode()
    numbers = _filled(coded.indices, NONE).astype(np.int32)
    return numbers[len(first) :], coded.dictionary


def _filled(column: pa.Array, value: float) -> NDArray[np.generic]:
    filled: NDArray[np.generic] = column.fill_null(value).to_numpy(zero_copy_only=False)
    return filled
