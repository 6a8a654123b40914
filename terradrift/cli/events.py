"""The verb `events`."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say
from terradrift.cli.run import events as print_events

_LAST_DETECT = """
    SELECT message FROM runs WHERE verb = 'detect' AND status = 'done'
    ORDER BY started DESC LIMIT 1
"""


def events(
    archive: opt.ArchivePath,
    limit: Annotated[
        int | None,
        typer.Option("-n", "--limit", min=1, help="[default: 20; all with --json]"),
    ] = None,
    as_json: opt.Json = False,
) -> None:
    """The ranked events of ARCHIVE."""
    import terradrift as td

    opened = td.open(archive)
    found = opened.events(limit if limit or as_json else 20)
    print_events(found, as_json=as_json)
    if not len(found):
        last = opened.sql(_LAST_DETECT).fetchone()
        say(f"no events: {last[0] if last else 'run terradrift detect first'}")
