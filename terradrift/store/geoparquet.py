"""Tables out of the archive as one GeoParquet 1.1 file, for GIS and engines; streaming.

Rows lie along a Hilbert curve, tile by tile, in row groups of about 24 MB of vectors with
a bbox covering column, so a reader who wants a place reads a few row groups.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from terradrift.store.geoparquet_import import (
    Imported,
    import_changes,
    import_embeddings,
    import_events,
)
from terradrift.store.out.leaving import Dtype, Leaving
from terradrift.store.parquet import write
from terradrift.store.spatial import Chosen
from terradrift.store.tables import Store

__all__ = [
    "Dtype",
    "Exported",
    "Imported",
    "export",
    "export_changes",
    "export_embeddings",
    "export_events",
    "import_changes",
    "import_embeddings",
    "import_events",
]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    path: Path
    rows: int
    bytes: int


def export_embeddings(
    store: Store,
    path: str | Path,
    *,
    model: str,
    filter: str | None = None,  # noqa: A002 - as in Store.scan
    dtype: Dtype = "float16",
) -> Exported:
    """Write the model's observations with their patch's geometry.

    `filter` is an SQL condition on the table's columns.

    Raises:
        ArchiveError: no such table, a patch without geometry, or `path` cannot be written.
    """
    leaving = Leaving(store, "embeddings", model, dtype, Chosen(filter))
    return export(leaving, Path(path))


def export_changes(
    store: Store,
    path: str | Path,
    *,
    model: str,
    filter: str | None = None,  # noqa: A002 - as in Store.scan
    dtype: Dtype = "float16",
) -> Exported:
    """Write the model's changes with their vectors; otherwise as `export_embeddings`."""
    leaving = Leaving(store, "changes", model, dtype, Chosen(filter))
    return export(leaving, Path(path))


def export_events(
    store: Store,
    path: str | Path,
    *,
    model: str,
    filter: str | None = None,  # noqa: A002 - as in Store.scan
) -> Exported:
    """Write the model's events in the order of their rank."""
    return export(Leaving(store, "events", model, chosen=Chosen(filter)), Path(path))


def export(
    leaving: Leaving,
    path: Path,
    *,
    advance: Callable[[int], None] = lambda _rows: None,
) -> Exported:
    """Write all rows of a table that leaves; `advance` is told how many were written.

    Raises:
        ArchiveError: as `export_embeddings`.
    """
    tables = (block.rows for block in leaving.blocks())
    covered = write(
        _counted(tables, advance), leaving.columns, path, leaving.time, leaving.footers
    )
    return Exported(path, covered.rows, path.stat().st_size)


def _counted(
    tables: Iterable[pa.Table], advance: Callable[[int], None]
) -> Iterator[pa.Table]:
    for rows in tables:
        yield rows
        advance(rows.num_rows)
