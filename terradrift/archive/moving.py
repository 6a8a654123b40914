"""`export` and `import`: GeoParquet with vectors, and other formats without."""

from dataclasses import replace
from pathlib import Path

from terradrift import schema
from terradrift.query import sql, write
from terradrift.store import geoparquet
from terradrift.store import geoparquet_import as arriving
from terradrift.store.tables import Store

_PARQUET = (".parquet", ".geoparquet")
_VECTORS = {
    "changes": ("before", "after", "delta"),
    "events": (),
    "embeddings": ("embedding",),
}


def export(store: Store, model: str, path: Path, what: str) -> int:
    """Write changes, events or embeddings of `model`; returns the number of rows.

    Raises:
        ValueError: no such table, or an ending that is not known.
    """
    if what not in _VECTORS:
        raise ValueError(f"expected {', '.join(_VECTORS)} to export, got {what!r}")
    if path.suffix.lower() in _PARQUET:
        writer = {
            "changes": geoparquet.export_changes,
            "events": geoparquet.export_events,
            "embeddings": geoparquet.export_embeddings,
        }[what]
        return writer(store, path, model=model).rows
    without = ", ".join(_VECTORS[what])
    columns = f"* EXCLUDE ({without})" if without else "*"
    # Both names are ours: the table is one of three, the suffix letters, digits and _.
    view = "observations" if what == "embeddings" else what
    text = f"SELECT {columns} FROM {view}_{schema.suffix(model)}"  # noqa: S608
    return write.write(sql.sql(store, text), path)


def import_table(store: Store, path: Path, what: str) -> int:
    """Add the rows of GeoParquet that `export` wrote; returns how many were new.

    Raises:
        ValueError: no such table.
        SchemaError: not a file that `export` wrote.
        ModelMismatchError: vectors of another model than the archive's.
    """
    readers = {
        "embeddings": arriving.import_embeddings,
        "changes": arriving.import_changes,
        "events": arriving.import_events,
    }
    if what not in readers:
        raise ValueError(f"expected {', '.join(readers)} to import, got {what!r}")
    done = readers[what](store, path)
    if store.settings.model is None:
        store.update(replace(store.settings, model=done.model))
    return done.rows
