"""`Archive`: one object and a few verbs, the same as on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from terradrift import threads
from terradrift.archive.front.judging import Judging
from terradrift.archive.runs import recorded

if TYPE_CHECKING:
    from terradrift.store.majortom.arrive import Imported as MajorTomImported


class Archive(Judging):
    """A searchable record of change: tables in one folder, and the verbs on them.

    A verb that writes takes the lock, may be killed and run again, and leaves a row in `runs`.
    """

    def export(
        self,
        path: str | Path,
        *,
        what: str = "changes",
        model: str | None = None,
        method: str | None = None,
    ) -> int:
        """Write changes, events, embeddings, anomalies or labels; returns the number of rows.

        `.parquet` is GeoParquet 1.1; other endings (.gpkg, .geojson, .csv, .jsonl) carry
        no vectors, and no anomalies. `method` is whose anomalies, by default `seasonal`.

        Raises:
            ValueError: no such table, an ending that is not known, or a method with what
                is of none.
            ArchiveError: the method was not run.
        """
        from terradrift.archive import moving

        return moving.export(self.store, model or self.model, Path(path), what, method)

    def import_table(self, path: str | Path, *, what: str = "embeddings") -> int:
        """Read GeoParquet that `export` wrote; returns the number of rows.

        Raises:
            SchemaError: not such a file.
            ModelMismatchError: vectors of another model than the archive's.
        """
        from terradrift.archive import moving

        with recorded(self.store, "import", {"path": str(path), "what": what}) as run:
            run.rows = moving.import_table(self.store, Path(path), what)
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
