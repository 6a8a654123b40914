"""The verb `sql`."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import rows, say


def sql(
    archive: opt.ArchivePath,
    statement: Annotated[
        str, typer.Argument(help="One SELECT over scenes, patches, changes, ...")
    ],
    output: opt.Output = None,
    as_json: opt.Json = False,
) -> None:
    """Ask ARCHIVE in SQL (DuckDB): read-only, no files, no network.

    With --output the answer goes to a file: .parquet (GeoParquet where there is a
    geometry), .csv, .json, .jsonl or .gpkg.
    """
    import terradrift as td
    from terradrift.query import write

    relation = td.open(archive).sql(statement)
    if output is not None:
        count = write.write(relation, output)
        say(f"{count:,} rows to {output}")
        return
    rows(write.to_arrow(relation), as_json=as_json)
