"""The verb `index`."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage


def index(
    archive: opt.ArchivePath,
    table: Annotated[
        str | None,
        typer.Option(help="changes or observations [default: both, and SQL columns]."),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="Only for searches by delta, after, before or before-after [default: all]."
        ),
    ] = None,
    model: opt.Model = None,
    every: Annotated[bool, typer.Option("--all", help="Small tables too.")] = False,
    threads: opt.Threads = None,
    quiet: opt.Quiet = False,
) -> None:
    """Make searches and SQL on ARCHIVE fast; again: what is stale, anew.

    Files lie under index/ and may be deleted at any time: answers are the same, slower.
    """
    import terradrift as td

    opened = td.open(archive)
    with usage():
        done = opened.index(
            table=table,
            mode=mode,
            model=model,
            every=every,
            threads=threads,
            quiet=quiet,
        )
    for said in done:
        say(said, quiet=quiet)
