"""All rows of an import: a few numbers of each in memory, its vector and corners on disk.

A row takes some 60 bytes of memory, and what is on disk lies in nameless files that are gone
whatever happens. So files, and rows within them, may come in any order.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import ArchiveError
from terradrift.grid import Grid
from terradrift.store.disk import doing
from terradrift.store.majortom.places import on_grid
from terradrift.store.published import spots, when
from terradrift.store.published.cells import coded
from terradrift.store.published.table import Batch, Table

NORTH, SOUTH = 84.0, -80.0
"""Where UTM ends."""
_NUDGE = 0.1
"""Metres; coordinates of squares are seldom stated to less than a centimetre."""
_LIGHT: dict[str, Any] = {
    "key": np.int64,
    "lon": np.float64,
    "lat": np.float64,
    "off": np.float32,
    "time": np.int64,
    "clear": np.float32,
    "scene": np.int32,
}


@dataclass(slots=True, eq=False)
class Gathered:
    """Rows that have a vector, an instant and a place on the grid."""

    grid: Grid
    dimensions: int
    scenes: list[str] = field(default_factory=list)
    """Names that `scene` numbers."""
    left: Counter[str] = field(default_factory=Counter)
    """Rows that are left out: `vector`, `place`, `instant`, `year` or `outside`."""
    light: dict[str, NDArray[Any]] = field(default_factory=dict)
    """(n,) each: patch as `cells.coded`, degrees of the centre, metres from there to the
    middle of the patch, microseconds since 1970, percent or NaN, number of the scene."""
    vectors: NDArray[np.float16] = field(
        default_factory=lambda: np.empty((0, 0), np.float16)
    )
    """(n, d), on disk."""
    corners: NDArray[np.float32] = field(
        default_factory=lambda: np.empty((0, 4, 2), np.float32)
    )
    """(n, 4, 2) degrees less the centre, on disk."""

    def __len__(self) -> int:
        return len(self.vectors)


def gather(
    tables: Iterable[Table], grid: Grid, folder: Path, wanted: frozenset[int] | None
) -> Gathered:
    """Read all rows of tables of one model.

    Args:
        tables: of vectors of one length.
        grid: the archive's.
        folder: where the nameless files may lie.
        wanted: calendar years to keep; None: all.

    Raises:
        ArchiveError: no room on the disk; squares that do not go with the grid's patches.
        SchemaError: as `Table.batches`.
    """
    tables = list(tables)
    found = Gathered(grid, tables[0].dimensions)
    builder = _Builder(found, sum(one.rows for one in tables), wanted)
    with (
        doing(folder, "keep vectors for the time of an import"),
        TemporaryFile(dir=folder) as vectors,
        TemporaryFile(dir=folder) as corners,
    ):
        for table in tables:
            for number, batch in enumerate(table.batches()):
                if number == 0:
                    _fits(table, batch, grid)
                builder.add(table, batch, vectors, corners)
        builder.done(vectors, corners)
    return found


def _fits(table: Table, batch: Batch, grid: Grid) -> None:
    """Hold the grid's patches to a file's squares: half of one to a whole one."""
    measured = spots.side(batch.spots, grid)
    side = table.form.side if measured is None else measured[0]
    if side is not None and not 0.499 * side <= grid.patch_size <= 1.001 * side:
        raise ArchiveError(
            f"squares of {table.file.path} are {side:,.0f} m wide, so patches must be "
            f"{side / 2:,.0f} to {side:,.0f} m, not {grid.patch_size} m; import into another "
            "archive"
        )


class _Builder:
    def __init__(
        self, found: Gathered, rows: int, wanted: frozenset[int] | None
    ) -> None:
        self._found, self._at = found, 0
        self._years = None if wanted is None else np.array(sorted(wanted))
        self._light = {name: np.empty(rows, kind) for name, kind in _LIGHT.items()}
        self._numbers: dict[str, int] = {}

    def add(
        self, table: Table, batch: Batch, vectors: BinaryIO, corners: BinaryIO
    ) -> None:
        keep = self._fit(batch)
        if not keep.any():
            return
        center, grid = batch.spots.center[keep], self._found.grid
        cells, off, inside = on_grid(center, grid, _NUDGE)
        self._found.left["outside"] += int((~inside).sum())
        rows = np.flatnonzero(keep)[inside]
        center, corner = center[inside], batch.spots.corner[rows]
        side = table.form.side or float(grid.patch_size)
        point = np.isnan(corner).any(axis=(1, 2))
        if point.any():
            corner[point] = spots.squares(center[point], side, grid)
        at, to = self._at, self._at + len(rows)
        light = {
            "key": coded(cells[inside]),
            "lon": center[:, 0],
            "lat": center[:, 1],
            "off": off[inside],
            "time": batch.times[rows],
            "clear": batch.clear[rows],
            "scene": self._scene(table, batch, rows),
        }
        for name, values in light.items():
            self._light[name][at:to] = values
        vectors.write(batch.vectors[rows].tobytes())
        corners.write(corner.tobytes())
        self._at = to

    def done(self, vectors: BinaryIO, corners: BinaryIO) -> None:
        found, count = self._found, self._at
        found.light = {name: values[:count] for name, values in self._light.items()}
        found.scenes = list(self._numbers)
        if count:
            vectors.flush()
            corners.flush()
            shape = (count, found.dimensions)
            found.vectors = np.memmap(vectors, np.float16, "r", shape=shape)
            found.corners = np.memmap(corners, np.float32, "r", shape=(count, 4, 2))

    def _fit(self, batch: Batch) -> NDArray[np.bool_]:
        """Rows that have all that they need; others are counted, each once."""
        keep = batch.good.copy()
        left = self._found.left
        left["vector"] += int((~keep).sum())
        checks = [
            ("place", batch.spots.there),
            ("instant", batch.times != when.NOWHEN),
        ]
        if self._years is not None:
            asked = np.isin(when.year_of(batch.times), self._years)
            checks.append(("year", asked))
        if self._found.grid.crs == "utm":
            latitude = batch.spots.center[:, 1]
            checks.append(("outside", (latitude >= SOUTH) & (latitude <= NORTH)))
        for name, passes in checks:
            left[name] += int((keep & ~passes).sum())
            keep &= passes
        return keep

    def _scene(
        self, table: Table, batch: Batch, rows: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        if batch.scenes is None:
            number = self._numbers.setdefault(table.scene, len(self._numbers))
            return np.full(len(rows), number, np.int32)
        named = [batch.scenes[row] or table.scene for row in rows.tolist()]
        return np.array(
            [self._numbers.setdefault(one, len(self._numbers)) for one in named],
            np.int32,
        )
