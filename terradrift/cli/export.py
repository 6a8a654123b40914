"""The verbs that move tables: export and import."""

from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage


def export(
    archive: opt.ArchivePath,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help=".parquet (GeoParquet 1.1), or .gpkg and .geojson without vectors.",
        ),
    ] = None,
    output: opt.Output = None,
    what: Annotated[
        str, typer.Option(help="changes, events, embeddings, anomalies or labels.")
    ] = "changes",
    model: opt.Model = None,
    method: Annotated[
        str | None,
        typer.Option(help="Whose anomalies: a method of detect, by default seasonal."),
    ] = None,
) -> None:
    """Write a table of ARCHIVE for GIS and other engines."""
    import terradrift as td

    path = file or output
    if path is None or (file and output):
        raise typer.BadParameter("expected one file to write: FILE, or -o FILE")
    opened = td.open(archive)
    with usage():
        count = opened.export(path, what=what, model=model, method=method)
    say(f"{count:,} {what} to {path}")


def import_(
    archive: opt.ArchivePath,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="GeoParquet that `export` wrote, or Major TOM embeddings.",
        ),
    ],
    what: Annotated[
        str, typer.Option(help="embeddings, changes or events.")
    ] = "embeddings",
    form: Annotated[
        str | None,
        typer.Option(help="terradrift or major-tom [default: by the columns]."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Major TOM: what made the vectors [default: by their length]."
        ),
    ] = None,
    footprints: Annotated[
        str | None,
        typer.Option(
            help="Major TOM: transposed or right [default: as pixel boxes tell]."
        ),
    ] = None,
    clear_percent: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="Major TOM: how clear all are taken to be [default: not known].",
        ),
    ] = None,
) -> None:
    """Read exported GeoParquet into ARCHIVE, or Major TOM embeddings into one of their own.

    An archive for Major TOM is made where there is none.
    """
    import terradrift as td
    from terradrift.archive import moving

    with usage():
        if form is not None and form not in moving.FORMS:
            raise typer.BadParameter(
                f"form must be {' or '.join(moving.FORMS)}, got {form!r}"
            )
        if (form or moving.form_of(source)) == moving.MAJOR_TOM:
            if what != "embeddings":
                raise typer.BadParameter(
                    f"Major TOM publishes embeddings, got --what {what}"
                )
            done = moving.import_major_tom(
                archive,
                source,
                model=model,
                footprints=footprints,
                clear_percent=clear_percent,
            )
            say(done)
            return
        if given := [
            name
            for name, value in (
                ("--model", model),
                ("--footprints", footprints),
                ("--clear-percent", clear_percent),
            )
            if value is not None
        ]:
            raise typer.BadParameter(f"{given[0]} only goes with Major TOM embeddings")
        opened = td.open(archive)
        count = opened.import_table(source, what=what)
    say(f"{count:,} {what} from {source}")
