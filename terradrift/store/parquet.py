"""Writing one GeoParquet file: row groups of a chosen size, footers last, whole or not at all."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from terradrift.errors import ArchiveError
from terradrift.store.footer import Box
from terradrift.store.out import part

_GROUP_BYTES = 24 << 20
_SHAPES = {
    0: "Point",
    1: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
}


def rows_per_group(columns: pa.Schema) -> int:
    """Rows that hold about 24 MB of vectors."""
    widths = [
        field.type.list_size * field.type.value_type.bit_width // 8
        for field in columns
        if pa.types.is_fixed_size_list(field.type)
    ]
    return int(max(1, _GROUP_BYTES // max(256, sum(widths))))


@dataclass(slots=True)
class Covered:
    """What the rows written so far cover in space and time."""

    rows: int = 0
    box: Box | None = None
    start: datetime | None = None
    end: datetime | None = None
    shapes: set[str] = field(default_factory=set)
    """GeoParquet's names of the geometry types met."""

    def add(self, rows: pa.Table, time: str | None) -> None:
        """Count rows with columns `bbox`, `geometry` and, where given, the instant `time`.

        A row across the antimeridian (`xmin` above `xmax`) makes the box go all around.
        """
        self.rows += rows.num_rows
        west, south, east, north = (
            pc.struct_field(rows["bbox"], side)
            for side in ("xmin", "ymin", "xmax", "ymax")
        )
        if rows["bbox"].null_count == rows.num_rows:
            return
        low = [pc.min(west).as_py(), pc.min(south).as_py()]
        high = [pc.max(east).as_py(), pc.max(north).as_py()]
        if pc.any(pc.greater(west, east)).as_py():
            low[0], high[0] = -180.0, 180.0
        if self.box is not None:
            low = [min(pair) for pair in zip(low, self.box[:2], strict=True)]
            high = [max(pair) for pair in zip(high, self.box[2:], strict=True)]
        self.box = (low[0], low[1], high[0], high[1])
        if time is not None:
            span = pc.min_max(rows[time]).as_py()
            self.start = min(filter(None, (self.start, span["min"])), default=None)
            self.end = max(filter(None, (self.end, span["max"])), default=None)
        kinds = shapely.get_type_id(shapely.from_wkb(rows["geometry"].to_numpy()))
        self.shapes |= {_SHAPES[int(one)] for one in np.unique(kinds) if one in _SHAPES}


def write(
    tables: Iterable[pa.Table],
    target: pa.Schema,
    path: Path,
    time: str | None,
    footers: Callable[[Covered], dict[str, str]],
) -> Covered:
    """As `write_to`, to a file that is at `path` whole or not at all.

    Raises:
        ArchiveError: it cannot be written.
    """
    try:
        with part.whole(path) as made:
            return write_to(tables, target, made, time, footers)
    except OSError as error:
        raise ArchiveError(
            f"cannot write {path}: {error.strerror or error}; the archive is as it was"
        ) from error


def write_to(
    tables: Iterable[pa.Table],
    target: pa.Schema,
    path: Path,
    time: str | None,
    footers: Callable[[Covered], dict[str, str]],
) -> Covered:
    """Write row groups of about 24 MB of vectors, and the footers last.

    zstd, with a page index, statistics of all columns but vectors, and texts by dictionary.
    `footers` is asked when all rows are written, and before for `geo` alone: readers of
    Arrow's schema, which stands in front of the final footers, look for it there.
    """
    seen = Covered()
    first = footers(seen)
    begun = {"geo": first["geo"]} if "geo" in first else None
    text = [one.name for one in target if pa.types.is_string(one.type)]
    with pq.ParquetWriter(
        path,
        target.with_metadata(begun),
        compression="zstd",
        use_dictionary=text,
        write_statistics=_with_statistics(target),
        write_page_index=True,
    ) as writer:
        for group in _grouped(tables, rows_per_group(target)):
            seen.add(group, time)
            writer.write_table(group, row_group_size=group.num_rows)
        writer.add_key_value_metadata(footers(seen))
    return seen


def _with_statistics(columns: pa.Schema) -> list[str]:
    """Every leaf column but those of vectors, whose least number says nothing."""
    found = []
    for one in columns:
        if pa.types.is_struct(one.type):
            found += [f"{one.name}.{child.name}" for child in one.type]
        elif not pa.types.is_fixed_size_list(one.type):
            found.append(one.name)
    return found


def _grouped(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `rows` rows each, the last one of what is left."""
    held: list[pa.Table] = []
    count = 0
    for table in tables:
        held.append(table)
        count += table.num_rows
        while count >= rows:
            whole = pa.concat_tables(held)
            yield whole.slice(0, rows)
            held, count = [whole.slice(rows)], count - rows
    if count:
        yield pa.concat_tables(held)
