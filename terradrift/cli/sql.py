"""The verb `sql`."""

import os
import sys
from typing import Annotated

import typer

from terradrift.cli import answer
from terradrift.cli import options as opt
from terradrift.cli.output import rows, say, usage


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
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="table, csv, json, jsonl or markdown [default: table]."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Rows at most [default: 1,000 in a terminal, else all].",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Time at most [default: 30, with --output none]."
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(help="Memory at most, such as 2GB [default: half of all]."),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Value of $NAME in the statement; may be given several times.",
        ),
    ] = None,
) -> None:
    """Ask ARCHIVE in SQL (DuckDB): read-only, no files, no network.

    The statement may come from standard input (-). Without one a shell opens, or where
    standard input is no terminal its statements are run, each up to a semicolon.

    With --output the answer goes to a file: .parquet (GeoParquet where there is a
    geometry), .csv, .json, .jsonl, .gpkg, .fgb or .geojson.
    """
    import terradrift as td
    from terradrift.query.sql.limits import Limits
    from terradrift.query.sql.rlimits import bound_memory

    if schema:
        describe(statement, as_json=as_json)
        return
    form = form or ("jsonl" if as_json else "table")
    if form not in answer.FORMATS:
        raise typer.BadParameter(
            f"expected --format {', '.join(answer.FORMATS)}, got {form!r}"
        )
    with usage():
        bound = answer.values_of(values or [])
        memory_bytes = None if memory is None else answer.bytes_of(memory)
    if limit is None and output is None and form == "table" and sys.stdout.isatty():
        limit = answer.SHOWN_ROWS
    if timeout is None and output is None:
        timeout = answer.SECONDS
    limits = Limits(
        seconds=timeout, rows=limit, memory_bytes=memory_bytes, unheard=end_process
    )
    opened = td.open(archive)
    bound_memory(memory_bytes, end_too_large)
    if statement is None:
        from terradrift.cli.shell import Shell

        Shell(opened, limits, form=form, output=output, values=bound).run()
        return
    text = sys.stdin.read() if statement == "-" else statement
    answer.give(opened.sql(text, limits, **bound), form=form, output=output)


def end_process() -> None:
    """End at once, in one line: what runs does not hear an interrupt."""
    sys.stdout.flush()
    say(
        "error: SQL went on after its time was over, inside one function that hears no "
        "interrupt, and was ended; narrow it, or raise --timeout"
    )
    os._exit(1)


def end_too_large() -> None:
    """End at once, in one line: memory that DuckDB does not count is over the limit."""
    sys.stdout.flush()
    say(
        "error: SQL needs more memory than it may have, in a function whose memory "
        "DuckDB does not bound, and was ended; narrow it, or raise --memory"
    )
    os._exit(1)


def describe(view: str | None, *, as_json: bool) -> None:
    """Print what the columns of all views, or of one, are."""
    from terradrift.query.sql import described

    if as_json:
        rows(described.table(view), as_json=True)
    else:
        typer.echo(described.text(view))
