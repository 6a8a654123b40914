"""The verbs to look with: info, report."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, say


def info(archive: opt.ArchivePath, as_json: opt.Json = False) -> None:
    """What ARCHIVE holds: grid, scenes, dates, models, rows, bytes."""
    import terradrift as td

    facts = td.open(archive).info()
    if as_json:
        line(facts)
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")


def report(
    archive: opt.ArchivePath,
    output: opt.Output = None,
    events: Annotated[
        int, typer.Option("-n", "--events", min=1, help="Events shown with pictures.")
    ] = 12,
) -> None:
    """Write ARCHIVE's changes as one HTML page (-o report.html) or a folder of PNGs."""
    from pathlib import Path

    import terradrift as td

    path = output or Path("report.html")
    td.open(archive).report(path, events=events)
    say(f"wrote {path}")
