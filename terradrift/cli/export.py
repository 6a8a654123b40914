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
        str, typer.Option(help="changes, events, embeddings or anomalies.")
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
        Path, typer.Argument(metavar="FILE", help="GeoParquet that `export` wrote.")
    ],
    what: Annotated[
        str, typer.Option(help="embeddings, changes or events.")
    ] = "embeddings",
) -> None:
    """Read exported GeoParquet into ARCHIVE; its model must be the archive's."""
    import terradrift as td

    opened = td.open(archive)
    with usage():
        count = opened.import_table(source, what=what)
    say(f"{count:,} {what} from {source}")
