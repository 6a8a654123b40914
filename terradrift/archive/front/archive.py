"""`Archive`: one object and a few verbs, the same as on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from terradrift import threads
from terradrift.archive.front.judging import Judging
from terradrift.archive.runs import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terradrift.store.majortom.arrive import Imported as MajorTomImported


class Archive(Judging):
    """A searchable record of change: tables in one folder, and the verbs on them.

    A verb that writes takes the lock, may be killed and run again, and leaves a row in `runs`.
    """

    def export(
        self,
        path: str | Path,
        *,
        what: str | None = None,
        to: str | None = None,
        model: str | None = None,
        method: str | None = None,
        since: str | None = None,
        until: str | None = None,
        bbox: str | tuple[float, ...] | list[float] | None = None,
        within: object = None,
        kind: int | Sequence[int] | None = None,
        persistence: str | Sequence[str] | None = None,
        min_score: float | None = None,
        dtype: str = "float16",
        overwrite: bool = False,
        dry_run: bool = False,
        quiet: bool = True,
    ) -> int:
        """Write a table to a file or a folder, whole or not at all; returns the rows.

        The form is `to`, else the ending says it: `.parquet` is GeoParquet 1.1; `.gpkg`,
        `.fgb`, `.geojson`, `.csv`, `.json` and `.jsonl` carry no vectors; `.zarr` and
        `.tif` (heat-maps) are rasters of patches; `partitioned` and `stac` are folders of
        GeoParquet by tile and year. `what` is changes, events, embeddings, scores, patches,
        labels, anomalies or, in a GeoPackage, all; by default what suits the form, else
        changes. `method` is whose anomalies, by default `seasonal`. Filters are those of
        searches; `since` and `until` are days, both included. `dtype` is of vectors:
        float16, float32 or, in Zarr, int8.

        With `dry_run` rows are counted and nothing is written. A file that is there, and a
        folder all of which an export wrote, are replaced with `overwrite` alone.

        Raises:
            ValueError: no such table or form, or ones that do not go together.
            ArchiveError: nothing to export, or it may not or cannot be written.
        """
        from terradrift.archive.out import exporting
        from terradrift.archive.out.filtered import Filters

        filters = Filters(
            since=since,
            until=until,
            bbox=bbox,
            within=within,
            kind=kind,
            persistence=persistence,
            min_score=min_score,
        )
        request = exporting.Request(
            target=Path(path),
            what=what,
            to=to,
            method=method,
            dtype=dtype,
            filters=filters,
            overwrite=overwrite,
            dry_run=dry_run,
            quiet=quiet,
        )
        return exporting.export(self.store, model or self.model, request)

    def import_(
        self,
        *paths: str | Path,
        form: str | None = None,
        model: str | None = None,
        date: str | None = None,
        years: str | None = None,
        clear_percent: float | None = None,
    ) -> str:
        """Read published embeddings: GeoParquet or rasters, files or folders of them.

        `form` is one of `terradrift.archive.importing.FORMS`, by default as the files tell.
        `date` (a year, month or instant) is that of files that do not say when, `years`
        (2019-2023,2025) which are taken, `clear_percent` how clear observations are where no
        column says. Returns what was done, in words; `docs/import.md` has all of them.

        Raises:
            ArchiveError, SchemaError: a file that cannot be read or is of no known form, or
                patches that do not go with it.
            ModelMismatchError: vectors of another model than the archive's of that name.
        """
        from terradrift.archive.importing import Request, bring

        request = Request(
            form=form,
            model=model,
            date=date,
            years=years,
            clear_percent=clear_percent,
        )
        return bring(self, paths, request)

    def import_table(self, *paths: str | Path, what: str = "embeddings") -> int:
        """Read GeoParquet that `export` wrote; returns the number of rows.

        Raises:
            SchemaError: not such a file.
            ModelMismatchError: vectors of another model than the archive's.
        """
        from terradrift.archive import moving

        told = {"paths": [str(path) for path in paths], "what": what}
        with recorded(self.store, "import", told) as run:
            run.rows = moving.import_table(self.store, [*map(Path, paths)], what)
        return run.rows

    def import_major_tom(
        self,
        path: str | Path,
        *,
        model: str | None = None,
        footprints: str | None = None,
        clear_percent: float | None = None,
    ) -> MajorTomImported:
        """Read a published table of Major TOM embeddings.

        Options and what is raised are those of
        `terradrift.store.majortom.arrive.import_published`.
        """
        from terradrift.store.majortom import arrive

        with recorded(self.store, "import", {"path": str(path)}) as run:
            done = arrive.import_published(
                self.store,
                Path(path),
                model=model,
                footprints=footprints,
                clear_percent=clear_percent,
                run_id=run.run_id,
            )
            run.rows, run.message = done.rows, str(done)
        return done

    def validate(self) -> list[str]:
        """Problems as sentences; empty where all is well."""
        from terradrift.store.validate import validate

        return list(validate(self.store))

    def optimize(self, *, keep_hours: float = 1.0) -> list[str]:
        """Compact, sort and clean all tables, and index large ones; says what was done."""
        from datetime import timedelta

        from terradrift.store.optimize import optimize

        with recorded(self.store, "optimize", {"keep_hours": keep_hours}):
            done = optimize(self.store, keep=timedelta(hours=keep_hours))
        from terradrift.archive import indexing

        indexed = indexing.after_optimize(
            self.store, self.model, threads=threads.available()
        )
        return [*map(str, done), *indexed]
