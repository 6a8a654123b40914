"""The verb to compare: bench."""

from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, say, usage


def bench(
    archive: opt.ArchivePath,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What changed: vector file, raster or table; without: nothing did.",
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Models [default: the archive's]."),
    ] = None,
    detectors: Annotated[
        str | None,
        typer.Option(metavar="X,Y,...", help="Detectors [default: the usual ones]."),
    ] = None,
    control: Annotated[
        Path | None,
        typer.Option(metavar="ARCHIVE", help="Another archive, where nothing changed."),
    ] = None,
    date: opt.LabelDate = None,
    date_field: opt.DateField = None,
    class_field: opt.ClassField = None,
    min_share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of a patch that labels must fill."),
    ] = 0.5,
    any_touch: Annotated[
        bool,
        typer.Option("--any-touch", help="A patch that a label touches has changed."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE",
            help="Page to write (.md), or a folder for bench.md and bench.json.",
        ),
    ] = None,
    threads: opt.Threads = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Compare detectors x models on ARCHIVE: ranking, dating, false alarms, time.

    Embeds first what is missing; the current model stays. Without labels, what is reported
    is counted as false.
    """
    import terradrift as td
    from terradrift.archive.judge import benching

    opened = td.open(archive)
    with usage():
        if output is not None:
            benching.files(output)
        found = opened.bench(
            labels,
            models=_names(models),
            detectors=_names(detectors),
            control=control,
            date=date,
            date_field=date_field,
            class_field=class_field,
            min_share=min_share,
            any_touch=any_touch,
            threads=threads,
            quiet=quiet,
        )
    if output is not None:
        for path in benching.write(found, output):
            say(f"wrote {path}", quiet=quiet)
    if as_json:
        for each in found.lines:
            line({"archive": found.archive, **each.to_dict()})
    elif output is None:
        print(found)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]
