"""Columns that filters read, in memory: of one version of a table, each from its first use.

A row takes 8 bytes for its id, 32 for its box, 8 for its instant, 16 for its place, 4 each
for score and kind and 1 for its persistence: 73 at most. A table that may take more than
`BOUND` is filtered by Lance as it streams.
"""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.query.lance_scan import NARROW_BATCH_ROWS, ROW_ID
from terradrift.query.region import Bbox
from terradrift.query.where import PERSISTENCE

if TYPE_CHECKING:
    import lance

ROW_BYTES = 73
BOUND = 256 << 20
"""Bytes that the columns of one table may take."""

BLOCK = 4096
"""Rows that are passed over together where a box misses them all."""

SIDES = ("xmin", "ymin", "xmax", "ymax")


class Narrow:
    """The columns of one version of a table; rows are told by position in stored order."""

    def __init__(self, table: "lance.LanceDataset") -> None:
        self._table = weakref.ref(table)
        self._held: dict[str, NDArray[Any]] = {}
        self._ascending: bool | None = None

    @property
    def row_ids(self) -> NDArray[np.uint64]:
        """(n,) in stored order, which need not be ascending."""
        return self._of(ROW_ID, self._read_row_ids)

    def ids(self, at: NDArray[np.int64] | None = None) -> NDArray[np.uint64]:
        """Sorted ids of the rows at ascending positions; None: of all rows."""
        found = self.row_ids if at is None else self.row_ids[at]
        if self._ascending is None:
            self._ascending = bool((self.row_ids[1:] > self.row_ids[:-1]).all())
        return found if self._ascending else np.sort(found)

    def instant(self, column: str) -> NDArray[np.int64]:
        """(n,) microseconds since 1970, the least integer where there is none."""
        return self._of(column, lambda: self._read_instants(column))

    def number(self, column: str) -> NDArray[np.floating]:
        """(n,) numbers as they are stored; NaN, or -2^31 of whole ones, where there is none."""
        return self._of(column, lambda: self._read_numbers(column))

    def persistence(self) -> NDArray[np.int8]:
        """(n,) place of the word in `where.PERSISTENCE`, -1 for none of them."""
        return self._of("persistence", self._read_persistence)

    def boxes(self) -> NDArray[np.float64]:
        """(4, n) west, south, east, north in degrees, NaN where there is no box."""
        return self._of("bbox", self._read_boxes)

    def touching(self, box: Bbox) -> NDArray[np.int64]:
        """Positions, ascending, of the rows whose box touches `box`.

        Either may cross the antimeridian (west > east). Blocks of rows that lie off the box
        are passed over whole, which is most of a table that was sorted in space.
        """
        boxes = self.boxes()
        zones = self._of("zones", lambda: _zones(boxes))
        found = [
            first + np.flatnonzero(_touches(boxes[:, first:last], box))
            for first, last in _runs(_touches(zones, box))
        ]
        return np.concatenate([np.empty(0, np.int64), *found])

    def places(self) -> NDArray[np.float64]:
        """(2, n) longitude and latitude in degrees, NaN where there is none."""
        return self._of("places", self._read_places)

    def _of(self, name: str, read: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        if (found := self._held.get(name)) is None:
            found = self._held[name] = read()
        return found

    def _column(self, *names: str) -> pa.Table:
        table = self._table()
        if table is None:
            raise RuntimeError("the table of these columns was closed")
        return table.scanner(
            columns=list(names), batch_size=NARROW_BATCH_ROWS
        ).to_table()

    def _read_row_ids(self) -> NDArray[np.uint64]:
        table = self._table()
        if table is None:
            raise RuntimeError("the table of these columns was closed")
        rows = table.to_table(columns=[], with_row_id=True)
        ids: NDArray[np.uint64] = rows[ROW_ID].to_numpy()
        return ids

    def _read_instants(self, column: str) -> NDArray[Any]:
        values = self._column(column)[column].cast(pa.int64())
        return _filled(values, np.iinfo(np.int64).min)

    def _read_numbers(self, column: str) -> NDArray[Any]:
        values = self._column(column)[column]
        whole = pa.types.is_integer(values.type)
        return _filled(values, -(2**31) if whole else np.nan)

    def _read_persistence(self) -> NDArray[Any]:
        words = self._column("persistence")["persistence"]
        at = pc.index_in(words, value_set=pa.array(PERSISTENCE))
        return _filled(at, -1).astype(np.int8)

    def _read_boxes(self) -> NDArray[Any]:
        box = self._column("bbox")["bbox"]
        return np.stack([_filled(pc.struct_field(box, side), np.nan) for side in SIDES])

    def _read_places(self) -> NDArray[Any]:
        rows = self._column("longitude", "latitude")
        return np.stack(
            [_filled(rows[name], np.nan) for name in ("longitude", "latitude")]
        )


_OPENED: "weakref.WeakKeyDictionary[lance.LanceDataset, Narrow]" = (
    weakref.WeakKeyDictionary()
)


def opened(table: "lance.LanceDataset") -> Narrow | None:
    """The columns of the table, shared by all who hold it; None where they are too many.

    `table` is never written through (`Store.opened`).
    """
    if table.count_rows() * ROW_BYTES > BOUND:
        return None
    if (found := _OPENED.get(table)) is None:
        found = _OPENED[table] = Narrow(table)
    return found


def _filled(column: pa.ChunkedArray, value: float) -> NDArray[Any]:
    found: NDArray[Any] = pc.fill_null(column, value).to_numpy()
    return found


def _zones(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, blocks) the box around the boxes of each block, the world's where one crosses."""
    rows = boxes.shape[1]
    starts = np.arange(0, rows, BLOCK)
    if not rows:
        return np.empty((4, 0))
    west, south, east, north = boxes
    across = np.logical_or.reduceat(west > east, starts)
    low = [np.fmin.reduceat(side, starts) for side in (west, south)]
    high = [np.fmax.reduceat(side, starts) for side in (east, north)]
    return np.stack(
        [
            np.where(across, -180.0, low[0]),
            low[1],
            np.where(across, 180.0, high[0]),
            high[1],
        ]
    )


def _touches(boxes: NDArray[np.float64], box: Bbox) -> NDArray[np.bool_]:
    """(n,) whether boxes (4, n) touch `box`; NaN touches nothing."""
    west, south, east, north = boxes
    starts, ends = west <= box[2], east >= box[0]
    across = west > east
    if box[0] <= box[2]:
        wide = np.where(across, starts | ends, starts & ends)
    else:
        wide = across | starts | ends
    touched: NDArray[np.bool_] = wide & (south <= box[3]) & (north >= box[1])
    return touched


def _runs(blocks: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First row, and last but one, of blocks that follow each other."""
    edges = np.diff(np.concatenate([[False], blocks, [False]]).astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip((first * BLOCK).tolist(), (last * BLOCK).tolist(), strict=True))
