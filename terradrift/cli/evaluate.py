"""The verb `evaluate`: what was found, against labels."""

import json
from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage


def evaluate(
    archive: opt.ArchivePath,
    labels: Annotated[
        Path,
        typer.Option(
            help="GeoJSON or another vector file, a table (.csv, .parquet) with longitude "
            "and latitude or patch_id, or a raster (0 unchanged, 255 or nodata unknown)."
        ),
    ],
    model: opt.Model = None,
    score: Annotated[
        str,
        typer.Option(
            help="Rank patches by change, or by their largest drift, z, lof, cusum or ewma."
        ),
    ] = "change",
    date: Annotated[
        str | None, typer.Option(metavar="A", help="The date of all labels, or A/B.")
    ] = None,
    date_field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of dates; A,B: first and last day."),
    ] = None,
    class_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of classes.")
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option(help="Rasters: a CSV table of value, date and class."),
    ] = None,
    ignore_value: Annotated[
        list[float] | None,
        typer.Option(
            help="Rasters: a value that is unknown; may be given several times."
        ),
    ] = None,
    extent: Annotated[
        Path | None,
        typer.Option(help="Vector file of the labelled ground; outside it is unknown."),
    ] = None,
    controls: Annotated[
        Path | None,
        typer.Option(help="Vector file of ground where nothing changed."),
    ] = None,
    min_share: Annotated[
        float, typer.Option(help="Share of a patch that must have changed.")
    ] = 0.5,
    any_touch: Annotated[
        bool, typer.Option("--any-touch", help="A patch that a label touches changed.")
    ] = False,
    block: Annotated[
        int | None,
        typer.Option(
            metavar="METRES",
            help="Side of the blocks of ground that are drawn for intervals "
            "[default: 1,000, less where the archive is small].",
        ),
    ] = None,
    days: Annotated[
        str, typer.Option(metavar="N,...", help="Onsets count as found within N days.")
    ] = "5,15,30,60",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Write evaluation.json, evaluation.md and evaluation.png there.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON record on standard output.")
    ] = False,
) -> None:
    """Measure what was found in ARCHIVE against labels of real changes.

    Average precision beside chance, ROC-AUC, precision of the best k, false alarms per
    1,000 km2 and year, and how well onsets are dated, with intervals.
    """
    import terradrift as td
    from terradrift.evaluate.write import write

    opened = td.open(archive)
    with usage():
        found = opened.evaluate(
            labels,
            model=model,
            score=score,
            date=date,
            date_field=date_field,
            class_field=class_field,
            values=values,
            ignore_value=ignore_value or (),
            extent=extent,
            controls=controls,
            min_share=min_share,
            any_touch=any_touch,
            block=block,
            days=_days(days),
        )
    print(json.dumps(found.to_dict()) if as_json else found)
    if output is not None:
        say(" ".join(str(path) for path in write(found, output)))


def _days(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"days must be whole numbers such as 5,15,30, got {text!r}"
        ) from error
