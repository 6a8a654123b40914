"""`terradrift taxonomy`: regimes of ground and their paths through time."""

from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, rows, say, usage

_TABLE = "SELECT * FROM taxonomy ORDER BY coalesce(parent, regime), level, regime"
_COLUMNS = [
    "regime",
    "parent",
    "level",
    "size",
    "share",
    "cohesion",
    "label",
    "description",
]


def taxonomy(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    regimes: Annotated[
        int | None,
        typer.Option(min=1, help="Regimes of ground [default: most supported]."),
    ] = None,
    paths: Annotated[
        int | None,
        typer.Option(min=1, help="Paths of each [default: most supported]."),
    ] = None,
    method: Annotated[str, typer.Option(help="kmeans, dtw or hdbscan.")] = "kmeans",
    period: Annotated[
        str | None,
        typer.Option(metavar="A/B", help="Only these dates, such as 2018-03/2018-10."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Steps of the calendar [default: by the data]."),
    ] = None,
    season: Annotated[
        bool, typer.Option("--season", help="Take all years together, by day of year.")
    ] = False,
    assign: Annotated[
        bool,
        typer.Option(
            "--assign", help="Place new patches and dates; find nothing anew."
        ),
    ] = False,
    refine: Annotated[
        bool,
        typer.Option(
            "--refine",
            help="Learn a space from the regimes, keep it, find them anew in it.",
        ),
    ] = False,
    stability: Annotated[
        bool,
        typer.Option(
            "--stability", help="Say how far regimes depend on seeds and dates."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write pictures and taxonomy.json there."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample and the clustering.")] = 0,
    threads: opt.Threads = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Group the patches of ARCHIVE by what their ground is, and by its path through time."""
    import terradrift as td

    opened = td.open(archive)
    with usage():
        done = opened.taxonomy(
            model,
            regimes=regimes,
            paths=paths,
            method=method,
            period=period,
            steps=steps,
            season=season,
            assign=assign,
            refine=refine,
            stability=stability,
            output=output,
            seed=seed,
            threads=threads,
            quiet=quiet,
        )
    say(done, quiet=quiet)
    if as_json:
        line(done.summary())
    rows(opened.sql(_TABLE).to_arrow_table(), _COLUMNS, as_json=as_json)
