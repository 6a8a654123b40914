"""The verb `events`."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage
from terradrift.cli.run import events as print_events

_LAST_DETECT = """
    SELECT message FROM runs WHERE verb = 'detect' AND status = 'done'
    ORDER BY started DESC LIMIT 1
"""
_SHOWN = 20


def events(
    archive: opt.ArchivePath,
    limit: Annotated[
        int | None,
        typer.Option(
            "-n", "--limit", min=1, help="[default: 20; all with --json and --output]"
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Only those that start from then on: 2018-05."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Only those that start up to then, included."
        ),
    ] = None,
    bbox: opt.Bbox = None,
    within: opt.Within = None,
    kind: opt.Kind = None,
    persistence: opt.Persistence = None,
    output: opt.Output = None,
    as_json: opt.Json = False,
) -> None:
    """The ranked events of ARCHIVE, best first; others by terradrift sql."""
    import terradrift as td

    opened = td.open(archive)
    asked = (since, until, bbox, within, kind or None, persistence)
    with usage():
        found = opened.events(
            limit if limit or as_json or output else _SHOWN,
            since=since,
            until=until,
            bbox=bbox,
            within=within,
            kind=kind or None,
            persistence=persistence,
        )
    if output is not None:
        from terradrift.query import write

        say(f"{write.write(found, output):,} events to {output}")
    else:
        print_events(found, as_json=as_json)
    if len(found):
        return
    if any(one is not None for one in asked):
        every = opened.sql("SELECT count(*) FROM events").fetchone()
        say(f"none of {every[0] if every else 0:,} events passes the conditions")
    else:
        last = opened.sql(_LAST_DETECT).fetchone()
        say(f"no events: {last[0] if last else 'run terradrift detect first'}")
