"""The verb `sql`."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import rows, say


def sql(
    archive: opt.ArchivePath,
    statement: Annotated[
        str | None,
        typer.Argument(
            help="One SELECT over scenes, patches, changes, ...; with --schema a view."
        ),
    ] = None,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            help="Say what views, columns and functions there are, or all of one view.",
        ),
    ] = False,
    output: opt.Output = None,
    as_json: opt.Json = False,
) -> None:
    """Ask ARCHIVE in SQL (DuckDB): read-only, no files, no network.

    With --output the answer goes to a file: .parquet (GeoParquet where there is a
    geometry), .csv, .json, .jsonl or .gpkg.
    """
    import terradrift as td
    from terradrift.query import write

    if schema:
        describe(statement, as_json=as_json)
        return
    if statement is None:
        raise typer.BadParameter("expected a statement, or --schema")
    relation = td.open(archive).sql(statement)
    if output is not None:
        count = write.write(relation, output)
        say(f"{count:,} rows to {output}")
        return
    rows(write.to_arrow(relation), as_json=as_json)


def describe(view: str | None, *, as_json: bool) -> None:
    """Print what the columns of all views, or of one, are."""
    from terradrift.query.sql import described

    if as_json:
        rows(described.table(view), as_json=True)
    else:
        typer.echo(described.text(view))
