"""Tables out of the archive as GeoParquet 1.1, for GIS and other engines; streaming.

Rows lie along a Hilbert curve, tile by tile, in row groups of about 24 MB of vectors with
a bbox covering column, so a reader who wants a place reads a few row groups.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa

from terradrift import schema
from terradrift.store import footer
from terradrift.store.footer import Contents
from terradrift.store.geoparquet_import import (
    Imported,
    import_changes,
    import_embeddings,
    import_events,
)
from terradrift.store.parquet import Covered, rows_per_group, write
from terradrift.store.spatial import ITEM, in_space
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

__all__ = [
    "Exported",
    "Imported",
    "export_changes",
    "export_embeddings",
    "export_events",
    "import_changes",
    "import_embeddings",
    "import_events",
]

Dtype = Literal["float16", "float32"]

_TIMES = {"embeddings": "datetime", "changes": "onset", "events": "start"}


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
    made = _Made(store, "embeddings", model, dtype)
    return _export(made, Path(path), filter, stac=stac)


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
    made = _Made(store, "changes", model, dtype)
    return _export(made, Path(path), filter, stac=stac)


def export_events(
    store: Store,
    path: str | Path,
    *,
    model: str,
    filter: str | None = None,  # noqa: A002 - as in Store.scan
) -> Exported:
    """Write the model's events in the order of their rank."""
    made = _Made(store, "events", model, "float16")
    return _export(made, Path(path), filter, stac=False)


@dataclass(frozen=True, slots=True)
class _Made:
    """What is exported, and how."""

    store: Store
    kind: str
    model: str
    dtype: Dtype

    def __post_init__(self) -> None:
        if self.dtype not in ("float16", "float32"):
            raise ValueError(f"dtype must be float16 or float32, got {self.dtype!r}")


def _export(made: _Made, path: Path, where: str | None, *, stac: bool) -> Exported:
    store, kind = made.store, made.kind
    dataset = store.dataset(f"{kind}_{schema.suffix(made.model)}")
    target = _columns(kind, dataset.schema, made.dtype)
    time = _TIMES[kind]
    if kind == "events":
        tables = iter([dataset.to_table(filter=where).sort_by("rank")])
    else:
        at_once = rows_per_group(dataset.schema)
        place = kind == "embeddings"
        tables = in_space(store, dataset, time, where, at_once, place=place)

    def footers(covered: Covered) -> dict[str, str]:
        return _footers(_contents(made, covered), covered, dataset.schema)

    shaped = (_shaped(rows, target) for rows in tables)
    covered = write(shaped, target, path, time, footers)
    beside = _stac(_contents(made, covered), path) if stac else ()
    return Exported(path, covered.rows, path.stat().st_size, beside)


def _columns(kind: str, stored: pa.Schema, dtype: Dtype) -> pa.Schema:
    """The file's columns: the table's, with geometry, and vectors of `dtype`."""
    fields = [field.remove_metadata() for field in stored]
    if kind == "embeddings":
        fields += [
            pa.field(ITEM, pa.string()),
            pa.field("bbox", schema.BBOX),
            pa.field("geometry", pa.binary()),
        ]
    value = pa.float16() if dtype == "float16" else pa.float32()
    return pa.schema(
        [
            pa.field(field.name, pa.list_(value, field.type.list_size))
            if pa.types.is_fixed_size_list(field.type)
            else field
            for field in fields
        ]
    )


def _shaped(rows: pa.Table, target: pa.Schema) -> pa.Table:
    return rows.select(target.names).replace_schema_metadata(None).cast(target)


def _footers(contents: Contents, covered: Covered, stored: pa.Schema) -> dict[str, str]:
    own = {"schema": schema.name(stored), "model": dict(contents.model)}
    texts = {
        "geo": footer.geo(contents, sorted(covered.shapes)),
        footer.TERRADRIFT: own,
    }
    if contents.kind != "events":
        texts["emb"] = footer.emb(contents)
    return {name: json.dumps(value) for name, value in texts.items()}


def _contents(made: _Made, covered: Covered) -> Contents:
    store = made.store
    held = store.dataset(embeddings_table(made.model)).schema
    described = {
        key.decode(): value.decode() for key, value in (held.metadata or {}).items()
    }
    described.pop("terradrift:schema", None)
    grid = store.settings.grid
    collections, sources = _sources(store)
    return Contents(
        kind=made.kind,
        model=described,
        dimensions=held.field("embedding").type.list_size,
        dtype=made.dtype,
        patch_size=grid.patch_size,
        patch_px=None if grid.gsd is None else grid.patch_px,
        grid_crs=grid.crs,
        bands=store.settings.bands,
        bbox=covered.box,
        start=covered.start,
        end=covered.end,
        collections=collections,
        sources=sources,
    )


def _sources(store: Store) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Collections of the archive's scenes, and links to them where their items have any."""
    if not store.exists("scenes"):
        return (), ()
    names: set[str] = set()
    links: set[str] = set()
    for batch in store.scan("scenes", ["collection", "stac_item"]):
        names |= {
            name for name in batch.column("collection").unique().to_pylist() if name
        }
        for text in batch.column("stac_item").to_pylist():
            item = json.loads(text) if text else {}
            links |= {
                link["href"]
                for link in item.get("links", [])
                if link.get("rel") == "collection" and "://" in link.get("href", "")
            }
    return tuple(sorted(names)), tuple(sorted(links))


def _stac(contents: Contents, path: Path) -> tuple[Path, Path]:
    """Write a STAC item and its collection beside the exported file."""
    name = path.stem
    now = datetime.now(UTC).replace(microsecond=0)
    item = path.with_name(f"{name}.item.json")
    collection = path.with_name(f"{name}.collection.json")
    texts = {
        item: footer.stac_item(contents, name, f"./{path.name}", now),
        collection: footer.stac_collection(contents, name),
    }
    for where, text in texts.items():
        where.write_text(json.dumps(text, indent=2) + "\n")
    return item, collection
