"""The verb `event-folders`: monitored images with labels and controls, judged and measured."""

import json
from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage


def event_folders(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Folder of event folders (anomaly_DATE.tif, its label, normal_DATE.tif; "
            "controls 0_...), or one of them.",
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            help="Model with a dense map; auto: SAM where its weights are here, else mosaiks."
        ),
    ] = "auto",
    segments: Annotated[
        str, typer.Option(help="Where regions come from: auto, sam or superpixels.")
    ] = "auto",
    region_px: Annotated[
        float, typer.Option(help="Pixels of a superpixel, about: as a small anomaly.")
    ] = 200.0,
    protocol: Annotated[
        str, typer.Option(help="published, or published-old (two quantiles, by class).")
    ] = "published",
    alpha: Annotated[
        float,
        typer.Option(
            help="Threshold of methods marked *: share of past pixels, or p-value."
        ),
    ] = 0.05,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Latest images of each history to use [default: all]."
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            help="Value 0..1 per digital number [default: the file's, or 1/255]."
        ),
    ] = None,
    gsd: Annotated[
        float | None,
        typer.Option(metavar="METRES", help="Pixel size where images do not say."),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Folder for anomaly and mark maps (COG)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE",
            help="Page to write (.md), or a folder for event-folders.md and .json.",
        ),
    ] = None,
    device: opt.Device = "auto",
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Go on without unreadable events; named."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON record on standard output.")
    ] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Find anomalies in FOLDER by regions, the published rule and simple baselines.

    Measures them on labelled events by the published protocol and plainly, and counts what
    they mark on controls. Needs no archive and writes none.
    """
    from terradrift.archive.events import folders
    from terradrift.archive.events.choices import Choices

    with usage():
        if output is not None:
            folders.files(output)
        found = folders.event_folders(
            folder,
            Choices(
                model=model,
                segments=segments,
                region_px=region_px,
                protocol=protocol,
                alpha=alpha,
                steps=steps,
                scale=scale,
                gsd=gsd,
                skip_bad=skip_bad,
                device=device,
            ),
            maps=maps,
            quiet=quiet,
        )
    if output is not None:
        for path in folders.write(found, output):
            say(f"wrote {path}", quiet=quiet)
    if found.maps:
        say(f"wrote {len(found.maps)} maps under {maps}", quiet=quiet)
    if as_json:
        print(json.dumps(found.to_dict()))
    elif output is None:
        print(found)
