"""The verb `sensitivity`: from what size on changes are found."""

import json
from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage


def sensitivity(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    detectors: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,...",
            help="Detectors, those on pixels, too [default: the usual ones].",
        ),
    ] = None,
    directions: Annotated[
        bool,
        typer.Option(
            "--directions",
            help="Plant random spectral directions instead of soil, burns, water and "
            "paved ground.",
        ),
    ] = False,
    frames: Annotated[int, typer.Option(min=1, help="Dates to plant into.")] = 8,
    layouts: Annotated[int, typer.Option(min=1, help="Times per date.")] = 4,
    objects: Annotated[int, typer.Option(min=1, help="Objects at a time.")] = 6,
    tiles: Annotated[int, typer.Option(min=1, help="Tiles to plant into.")] = 1,
    false_positives: Annotated[
        float, typer.Option(help="Share of untouched observations that may pass.")
    ] = 1e-3,
    min_history: Annotated[
        int, typer.Option(min=1, help="Clear dates before a date that is planted into.")
    ] = 10,
    seed: int = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Write sensitivity.json and sensitivity.png there.",
        ),
    ] = None,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON record on standard output.")
    ] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Plant changes of known size into ARCHIVE's own images and see who finds them.

    Beside every detector: temporal median and Reed-Xiaoli on pixels. Then the same images
    under haze, snow, shifts and cloud edges, which must not alarm. Writes nothing there.
    """
    import terradrift as td

    opened = td.open(archive)
    with usage():
        found = opened.sensitivity(
            model,
            detectors=detectors.split(",") if detectors else None,
            materials=not directions,
            frames=frames,
            layouts=layouts,
            objects=objects,
            tiles=tiles,
            false_positives=false_positives,
            min_history=min_history,
            seed=seed,
            device=device,
            threads=threads,
            quiet=quiet,
        )
    print(json.dumps(found.to_dict()) if as_json else found)
    if output is not None:
        from terradrift.evaluate.injected.write import write

        say(" ".join(str(path) for path in write(found, output)))
