"""`export` and `import`: GeoParquet with vectors, and other formats without."""

from dataclasses import replace
from pathlib import Path

from terradrift import schema
from terradrift.archive import labelling
from terradrift.archive.methods import export as anomaly_export
from terradrift.archive.opening import create, open_archive
from terradrift.archive.runs import recorded
from terradrift.query import write
from terradrift.query.sql import ask
from terradrift.store import geoparquet, settings
from terradrift.store import geoparquet_import as arriving
from terradrift.store.majortom import arrive, checked
from terradrift.store.majortom.arrive import Imported
from terradrift.store.majortom.source import is_published, opened
from terradrift.store.tables import Store

TERRADRIFT, MAJOR_TOM = "terradrift", "major-tom"
FORMS = (TERRADRIFT, MAJOR_TOM)
"""What writes files that can be imported: `export`, and Major TOM."""
_PARQUET = (".parquet", ".geoparquet")
_VECTORS = {
    "changes": ("before", "after", "delta"),
    "events": (),
    "embeddings": ("embedding",),
}


def export(
    store: Store, model: str, path: Path, what: str, method: str | None = None
) -> int:
    """Write changes, events, embeddings, labels or a method's anomalies; returns the number.

    Labels are those that stand, with the dates and the place of what they are of.


    Raises:
        ValueError: no such table, an ending that is not known, or a method with what is
            of none.
    """
    if what == "anomalies":
        return _anomalies(store, model, path, method or "seasonal")
    if what == "labels" and method is None:
        return write.write(labelling.held(store), path)
    if what not in (*_VECTORS, "labels"):
        known = ", ".join((*_VECTORS, "anomalies", "labels"))
        raise ValueError(f"expected {known} to export, got {what!r}")
    if method is not None:
        raise ValueError(f"a method goes with anomalies, not with {what}; leave it out")
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
    return write.write(ask.sql(store, text), path)


def _anomalies(store: Store, model: str, path: Path, method: str) -> int:
    if path.suffix.lower() not in _PARQUET:
        raise ValueError(
            f"anomalies are written as GeoParquet: expected .parquet, got {path.name}"
        )
    return anomaly_export.export(store, path, method=method, model=model)


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


def import_major_tom(
    folder: Path,
    path: Path,
    *,
    model: str | None = None,
    footprints: str | None = None,
    clear_percent: float | None = None,
) -> Imported:
    """Add published Major TOM embeddings to the archive in `folder`, made where there is none.

    A new one has patches a tenth below the fragments' stride. It is made when all of the
    file has been read, so a file that cannot be imported leaves nothing.

    Raises:
        As `terradrift.store.majortom.arrive.import_published`.
    """
    if (folder / settings.NAME).exists():
        return open_archive(folder).import_major_tom(
            path, model=model, footprints=footprints, clear_percent=clear_percent
        )
    ready = checked.checked(
        path,
        next(one for one in folder.absolute().parents if one.is_dir()),
        checked.grid_for(path),
        model=model,
        footprints=footprints,
        clear_percent=clear_percent,
    )
    store = create(folder, ready.grid).store
    with recorded(store, "import", {"path": str(path)}) as run:
        done = arrive.import_checked(store, ready, run_id=run.run_id)
        run.rows, run.message = done.rows, str(done)
    return done


def form_of(path: Path) -> str:
    """What wrote a file, by its columns: one of `FORMS`.

    Raises:
        ArchiveError: it is not there, or no Parquet.
    """
    columns, _ = opened(path)
    return MAJOR_TOM if is_published(columns) else TERRADRIFT
