"""Tables out of the archive as one GeoParquet 1.1 file, for GIS and engines; streaming.

Rows lie along a Hilbert curve, tile by tile, in row groups of about 24 MB of vectors with
a bbox covering column, so a reader who wants a place reads a few row groups.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from terradrift.store.geoparquet_import import (
    Imported,
    import_changes,
    import_embeddings,
    import_events,
)
from terradrift.store.out import links
from terradrift.store.out import stac as stac_of
from terradrift.store.out.leaving import Dtype, Leaving
from terradrift.store.out.met import Met
from terradrift.store.parquet import Covered, write
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
    stac: tuple[Path, ...] = ()
    """The STAC item and collection beside the file, where asked for."""


def export_embeddings(
    store: Store,
    path: str | Path,
    *,
    model: str,
    filter: str | None = None,  # noqa: A002 - as in Store.scan
    dtype: Dtype = "float16",
    stac: bool = False,
) -> Exported:
    """Write the model's observations with their patch's geometry.

    `filter` is an SQL condition on the table's columns. With `stac`, an item and a
    collection with the STAC embedding extension are written beside the file.

    Raises:
        ArchiveError: no such table, a patch without geometry, or `path` cannot be written.
    """
    leaving = Leaving(store, "embeddings", model, dtype, Chosen(filter))
    return export(leaving, Path(path), stac=stac)


def export_changes(
    store: Store,
    path: str | Path,
    *,
    model: str,
    filter: str | None = None,  # noqa: A002 - as in Store.scan
    dtype: Dtype = "float16",
    stac: bool = False,
) -> Exported:
    """Write the model's changes with their vectors; otherwise as `export_embeddings`."""
    leaving = Leaving(store, "changes", model, dtype, Chosen(filter))
    return export(leaving, Path(path), stac=stac)


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
    stac: bool = False,
    advance: Callable[[int], None] = lambda _rows: None,
) -> Exported:
    """Write all rows of a table that leaves; `advance` is told how many were written.

    Raises:
        ArchiveError: as `export_embeddings`.
    """
    met = Met()
    tables = met.passing(block.rows for block in leaving.blocks())
    covered = write(
        _counted(tables, advance), leaving.columns, path, leaving.time, leaving.footers
    )
    beside = _stac(leaving, covered, met, path) if stac else ()
    return Exported(path, covered.rows, path.stat().st_size, beside)


def _counted(
    tables: Iterable[pa.Table], advance: Callable[[int], None]
) -> Iterator[pa.Table]:
    for rows in tables:
        yield rows
        advance(rows.num_rows)


def _stac(leaving: Leaving, covered: Covered, met: Met, path: Path) -> tuple[Path, ...]:
    """Write a STAC item and its collection beside the exported file."""
    name = path.stem
    contents = leaving.contents(covered)
    item = path.with_name(f"{name}.item.json")
    collection = path.with_name(f"{name}.collection.json")
    made = stac_of.Made(
        name=name,
        collection=f"{name}-collection",
        href=links.path(f"./{path.name}"),
        collection_href=links.path(f"./{collection.name}"),
        contents=contents,
        columns=leaving.columns,
        rows=covered.rows,
        scenes=met.scenes_of(leaving.sources),
        runs=met.runs_of(leaving.sources),
        created=datetime.now(UTC).replace(microsecond=0),
        size=path.stat().st_size,
    )
    about = stac_of.collection(
        made.collection,
        contents,
        [{"href": links.path(f"./{item.name}")}],
        leaving.columns,
    )
    about["links"][0]["href"] = made.collection_href
    for where, text in ((item, stac_of.item(made)), (collection, about)):
        where.write_text(json.dumps(text, indent=2) + "\n")
    return item, collection
