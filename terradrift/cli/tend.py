"""The verbs that keep an archive well: validate and optimize."""

import sys

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, say


def validate(archive: opt.ArchivePath, as_json: opt.Json = False) -> None:
    """Check ARCHIVE; prints one line per problem and ends with status 1 if there is any."""
    import terradrift as td

    problems = td.open(archive).validate()
    for problem in problems:
        if as_json:
            line({"problem": problem})
        else:
            print(problem)
    if problems:
        sys.exit(1)
    say("no problems")


def optimize(
    archive: opt.ArchivePath,
    keep_hours: float = typer.Option(
        1.0, min=0.0, help="Keep versions younger than this for readers under way."
    ),
    quiet: opt.Quiet = False,
) -> None:
    """Compact and sort ARCHIVE's tables and remove old versions."""
    import terradrift as td

    for done in td.open(archive).optimize(keep_hours=keep_hours):
        say(done, quiet=quiet)
