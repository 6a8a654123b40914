"""The verb to compare models: compare."""

from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, say, usage


def compare(
    archives: Annotated[
        list[Path],
        typer.Argument(metavar="ARCHIVE", help="Archives of the same ground."),
    ],
    labels: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="What changed: vector file, raster or table."
        ),
    ],
    cell: Annotated[
        int | None,
        typer.Option(
            metavar="METRES",
            help="Side of a cell of the common grid [default: the largest patch].",
        ),
    ] = None,
    date_before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Compare two dates: the first.")
    ] = None,
    date_after: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="The second; without both: all dates, by detectors."
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Models [default: all that are held]."),
    ] = None,
    detectors: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,...",
            help="Of all dates [default: changes,local-distance,local-lof].",
        ),
    ] = None,
    date: opt.LabelDate = None,
    date_field: opt.DateField = None,
    class_field: opt.ClassField = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE",
            help="Page to write (.md), or a folder for compare.md and compare.json.",
        ),
    ] = None,
    threads: opt.Threads = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Compare models, each on patches of its own size, on one grid with one rule for labels."""
    import terradrift as td
    from terradrift import threads as threading_
    from terradrift.archive.judge import comparing
    from terradrift.evaluate.fields import Reading

    opened = [td.open(each) for each in archives]
    with usage():
        if output is not None:
            comparing.files(output)
        found = comparing.compare(
            opened,
            labels,
            Reading(date=date, date_field=date_field, class_field=class_field),
            cell=cell,
            date_before=date_before,
            date_after=date_after,
            models=_names(models),
            detectors=_names(detectors),
            threads=threading_.resolve(threads),
            quiet=quiet,
        )
    if output is not None:
        for path in comparing.write(found, output):
            say(f"wrote {path}", quiet=quiet)
    if as_json:
        for each in found.lines:
            line(each.to_dict())
    elif output is None:
        print(found)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]
