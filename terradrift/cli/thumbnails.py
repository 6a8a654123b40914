"""The verb `thumbnails`."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say


def thumbnails(
    archive: opt.ArchivePath,
    events: Annotated[
        int, typer.Option("-n", "--events", min=1, help="The best so many events.")
    ] = 100,
    most_mb: Annotated[
        int,
        typer.Option(
            "--max-size",
            metavar="MB",
            min=1,
            help="Of all kept pictures; those not asked for longest go first.",
        ),
    ] = 512,
    quiet: opt.Quiet = False,
) -> None:
    """Keep before and after of ARCHIVE's best events, so that serve shows them without scenes.

    Files lie under thumbnails/ and may be deleted at any time.
    """
    import terradrift as td
    from terradrift.archive.thumbnails_fill import fill

    done = fill(td.open(archive), events, most_bytes=most_mb * 1_000_000, quiet=quiet)
    say(str(done), quiet=quiet)
