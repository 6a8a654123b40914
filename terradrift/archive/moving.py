"""`import`: GeoParquet that `export` wrote, and published embeddings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from terradrift.archive.opening import create, open_archive
from terradrift.archive.runs import recorded
from terradrift.store import geoparquet_import as arriving
from terradrift.store import settings
from terradrift.store.majortom import arrive, checked
from terradrift.store.majortom.arrive import Imported
from terradrift.store.majortom.source import is_published, opened
from terradrift.store.tables import Store

TERRADRIFT, MAJOR_TOM = "terradrift", "major-tom"
FORMS = (TERRADRIFT, MAJOR_TOM)
"""What writes files that can be imported: `export`, and Major TOM."""
_BY_KEY = {"changes": arriving.import_changes, "events": arriving.import_events}


def import_table(store: Store, paths: Sequence[Path], what: str) -> int:
    """Add the rows of GeoParquet that `export` wrote; returns how many were new.

    Raises:
        ValueError: no such table.
        SchemaError: not a file that `export` wrote.
        ModelMismatchError: vectors of another model than the archive's.
    """
    if what == "embeddings":
        done = arriving.import_embeddings(store, *paths)
    elif what in _BY_KEY:
        several = [_BY_KEY[what](store, path) for path in paths]
        done = replace(several[0], rows=sum(one.rows for one in several))
    else:
        raise ValueError(
            f"expected embeddings, {', '.join(_BY_KEY)} to import, got {what!r}"
        )
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
