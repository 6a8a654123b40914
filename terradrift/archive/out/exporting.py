"""`export`: tables of an archive for GIS, for engines and for other archives."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from terradrift import progress
from terradrift.archive import labelling
from terradrift.archive.methods import export as anomaly_export
from terradrift.archive.out import filtered, styles
from terradrift.archive.out.filtered import Filters
from terradrift.errors import QueryError
from terradrift.progress import Advance
from terradrift.query import gis, write
from terradrift.query.sql.views import SCENE
from terradrift.store import geoparquet
from terradrift.store.out import existing
from terradrift.store.out.leaving import TABLES, Leaving
from terradrift.store.tables import Store

ENDINGS = {
    ".parquet": "parquet",
    ".geoparquet": "parquet",
    ".gpkg": "gpkg",
    ".fgb": "fgb",
    ".geojson": "geojson",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".zarr": "zarr",
    ".tif": "cog",
}
FOLDERS = ("partitioned", "stac", "zarr", "cog")
"""Forms that are folders, `cog` unless a .tif is asked for."""
FORMS = tuple(dict.fromkeys([*ENDINGS.values(), "partitioned", "stac"]))
WHAT = (*TABLES, "labels", "anomalies")
ALL = "all"
"""What is written as layers of one GeoPackage."""
_LAYERS = ("events", "changes")
_OF_FORM = {
    "partitioned": "embeddings",
    "stac": "embeddings",
    "zarr": "embeddings",
    "cog": "patches",
}
_DTYPES = ("float16", "float32", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One export as it was asked for."""

    target: Path
    what: str | None = None
    to: str | None = None
    """The form; by the ending of `target` where it is not given."""
    method: str | None = None
    """Whose anomalies."""
    dtype: str = "float16"
    """Of vectors; int8 in Zarr alone."""
    filters: Filters = field(default_factory=Filters)
    overwrite: bool = False
    dry_run: bool = False
    quiet: bool = True


def export(store: Store, model: str, asked: Request) -> int:
    """Write what was asked for, whole or not at all; returns the number of rows.

    With `dry_run` nothing is written. Needs no lock: it writes what the tables were when
    it began.

    Raises:
        ValueError: no such table, form or dtype, or ones that do not go together.
        ArchiveError: nothing to export, or the target may not or cannot be written.
    """
    form = form_of(asked)
    what = asked.what or usual(form)
    if what != ALL and what not in WHAT:
        raise ValueError(f"expected {', '.join(WHAT)} or all to export, got {what!r}")
    _check(asked, form, what)
    if what in ("labels", "anomalies"):
        return _listed(store, model, asked, what)
    names = _LAYERS if what == ALL else (what,)
    plain = form not in ("parquet", *FOLDERS)
    tables = [
        filtered.chosen(Leaving(store, name, model, vectors=not plain), asked.filters)
        for name in names
    ]
    if form in ("parquet", "partitioned", "stac"):
        tables = [replace(one, dtype=asked.dtype) for one in tables]  # type: ignore[arg-type]  # checked
    rows = sum(one.count() for one in tables)
    if asked.dry_run:
        return rows
    is_folder = form in FOLDERS and asked.target.suffix.lower() != ".tif"
    existing.free(asked.target, folder=is_folder, overwrite=asked.overwrite)
    with progress.stage("export", rows, "rows", quiet=asked.quiet) as advance:
        return _write(form, tables, asked, advance)


def form_of(asked: Request) -> str:
    """The form asked for, else the one that the ending says.

    Raises:
        QueryError: neither says one, or they say two.
    """
    ending = asked.target.suffix.lower()
    said = ENDINGS.get(ending)
    if asked.to is None:
        if said is None:
            raise QueryError(
                f"expected a file ending in {', '.join(ENDINGS)}, or a folder and --to "
                f"partitioned, stac, zarr or cog, got {asked.target.name}"
            )
        return said
    if asked.to not in FORMS:
        raise QueryError(f"expected --to {', '.join(FORMS)}, got {asked.to!r}")
    if said not in (None, asked.to) or (said is None and asked.to not in FOLDERS):
        endings = [one for one, form in ENDINGS.items() if form == asked.to]
        wanted = f"ending in {' or '.join(endings)}" if endings else "of a folder"
        raise QueryError(
            f"--to {asked.to} needs a name {wanted}, got {asked.target.name}"
        )
    return asked.to


def usual(form: str) -> str:
    """What a form holds where nothing is asked for."""
    return _OF_FORM.get(form, "changes")


def _check(asked: Request, form: str, what: str) -> None:
    """Raise ValueError where parts of the request do not go together."""
    if asked.method is not None and what != "anomalies":
        raise ValueError(f"a method goes with anomalies, not with {what}; leave it out")
    if what == ALL and form != "gpkg":
        raise ValueError(
            f"all goes into the layers of a GeoPackage (.gpkg), got {asked.target.name}"
        )
    if what == "anomalies" and form != "parquet":
        raise ValueError(
            "anomalies are written as GeoParquet: expected .parquet, got "
            f"{asked.target.name}"
        )
    if what in ("labels", "anomalies") and (names := asked.filters.given()):
        raise ValueError(f"{what} are exported whole; leave {', '.join(names)} out")
    allowed = ("embeddings",) if form == "zarr" else ("patches",)
    if form in ("zarr", "cog") and what not in allowed:
        raise ValueError(f"{form} holds {allowed[0]}, not {what}; leave --what out")
    if what == "labels" and form in FOLDERS:
        raise ValueError(f"labels are written to one file, not to {form}")
    dtypes = _DTYPES if form == "zarr" else _DTYPES[:2]
    if asked.dtype not in dtypes:
        raise ValueError(
            f"expected dtype {' or '.join(dtypes)} in {form}, got {asked.dtype!r}"
        )


def _listed(store: Store, model: str, asked: Request, what: str) -> int:
    """Labels and anomalies, which have writers of their own."""
    rows = labelling.held(store) if what == "labels" else None
    if asked.dry_run:
        if rows is None:
            raise ValueError("--dry-run does not count anomalies; ask SQL for them")
        return int(rows.num_rows)
    existing.free(asked.target, folder=False, overwrite=asked.overwrite)
    if rows is not None:
        return write.write(rows, asked.target)
    return anomaly_export.export(
        store, asked.target, method=asked.method or "seasonal", model=model
    )


def _write(form: str, tables: list[Leaving], asked: Request, advance: Advance) -> int:
    first = tables[0]
    if form == "parquet":
        return geoparquet.export(first, asked.target, advance=advance).rows
    if form in ("partitioned", "stac"):
        from terradrift.store.out import partitioned

        return partitioned.export(
            first,
            asked.target,
            stac=form == "stac",
            overwrite=asked.overwrite,
            advance=advance,
        ).rows
    if form == "zarr":
        from terradrift.store.out import zarr_store

        return zarr_store.export(
            first,
            asked.target,
            dtype=asked.dtype,
            overwrite=asked.overwrite,
            advance=advance,
        )
    if form == "cog":
        from terradrift.store.out import heat

        return heat.export(
            first,
            asked.target,
            kinds=styles.kinds(first),
            overwrite=asked.overwrite,
            advance=advance,
        )
    return _write_plain(form, tables, asked, advance)


def _write_plain(
    form: str, tables: list[Leaving], asked: Request, advance: Advance
) -> int:
    """Rows without vectors, to what GIS and spreadsheets read."""
    if f".{form}" not in gis.DRIVERS:
        return write.write(_stream(tables[0], advance), asked.target)
    layers = [
        gis.Layer(
            one.what,
            _stream(one, advance),
            description=f"terradrift: {one.what} of {one.model}",
            polygons=True,
            styles=styles.of(one),
        )
        for one in tables
    ]
    for beside in write.files_of(layers, asked.target)[1:]:
        existing.free(beside, folder=False, overwrite=asked.overwrite)
    return write.write_layers(layers, asked.target)


def _stream(leaving: Leaving, advance: Advance) -> pa.RecordBatchReader:
    """The table's rows; observations with what their scene says."""
    scenes = None
    columns = leaving.columns
    if leaving.what == "embeddings" and leaving.store.exists("scenes"):
        scenes = leaving.store.scan("scenes", ["scene_id", *SCENE]).read_all()
        scenes = scenes.combine_chunks()
        columns = pa.schema([*columns, *(scenes.schema.field(one) for one in SCENE)])

    def batches() -> Iterator[pa.RecordBatch]:
        for block in leaving.blocks():
            rows = block.rows
            if scenes is not None:
                at = pc.index_in(rows["scene_id"], value_set=scenes["scene_id"])
                for name in SCENE:
                    rows = rows.append_column(name, scenes[name].take(at))
            yield from rows.cast(columns).to_batches(max_chunksize=_BATCH_ROWS)
            advance(rows.num_rows)

    return pa.RecordBatchReader.from_batches(columns, batches())


_BATCH_ROWS = 10_000
