"""The verb `calibration`: whether p-values are what they say."""

import json
from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage


def calibration(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    controls: Annotated[
        Path | None,
        typer.Option(
            help="Vector file of ground where nothing changed; only patches wholly "
            "inside are counted [default: the whole archive]."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Write calibration.json and calibration.png there.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON record on standard output.")
    ] = False,
) -> None:
    """Compare the p-values of ARCHIVE with how often they occur.

    Where nothing changed, 1 in 100 observations should have a p-value of 0.01 or less. By
    season, month and reference, with intervals; what was not judged, and why.
    """
    import terradrift as td

    opened = td.open(archive)
    with usage():
        found = opened.calibration(model, controls=controls)
    print(json.dumps(found.to_dict()) if as_json else found)
    if output is not None:
        from terradrift.evaluate.operational.figure import write

        say(" ".join(str(path) for path in write(found, output)))
