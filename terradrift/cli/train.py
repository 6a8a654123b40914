"""The verb `train`: methods that must learn from the archive first."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, say, usage


def train(
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="What to train: inpaint.")
    ],
    archive: opt.ArchivePath,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="N", help="Stop after so many minutes."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Steps in all, those of earlier runs included [default: 1500, or as many as --minutes allow].",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Foundation model whose features it reads, such as satlas-swinb-si-ms [default: a small encoder of its own].",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same network.")] = 0,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Learn from days before this one only, so that later scores know nothing of their future. The day itself is left out; detect --until takes it in.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume", help="Go on from where the same training stopped."
        ),
    ] = True,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Teach METHOD the clear history of ARCHIVE; kill it and run it again to go on.

    The network, its loss curve and what it was trained on go into ARCHIVE/models.
    """
    import terradrift as td

    with usage():
        done = td.open(archive).train(
            method,
            minutes=minutes,
            steps=steps,
            encoder=encoder,
            seed=seed,
            until=until,
            resume=resume,
            device=device,
            threads=threads,
            quiet=quiet,
        )
    say(done, quiet=quiet)
    if as_json:
        line(done.summary())
