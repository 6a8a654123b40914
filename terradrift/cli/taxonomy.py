"""`terradrift taxonomy`: regimes of ground and their paths through time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, rows, say, usage

if TYPE_CHECKING:
    import pyarrow as pa

    from terradrift.store.tables import Store

_COLUMNS = ["regime", "parent", "level", "size", "share", "cohesion", "label"]


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
    method: Annotated[
        str | None, typer.Option(help="kmeans, dtw or hdbscan [default: kmeans].")
    ] = None,
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
    min_clear: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            min=0,
            max=100,
            help="Only observations that are so clear take part [default: 70].",
        ),
    ] = None,
    assign: Annotated[
        bool,
        typer.Option(
            "--assign",
            help="Place new patches and dates among the regimes as they are; find nothing "
            "anew.",
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
    seed: Annotated[
        int | None,
        typer.Option(help="Of the sample and the clustering [default: 0]."),
    ] = None,
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
            min_clear=min_clear,
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
    shown = [*_COLUMNS, "description"] if as_json else _COLUMNS
    rows(_tree(opened.store, model or opened.model), shown, as_json=as_json)


def _tree(store: "Store", model: str) -> "pa.Table":
    """The model's regimes: each ground with its paths below it."""
    import pyarrow.compute as pc

    from terradrift import schema

    found = store.scan(f"taxonomy_{schema.suffix(model)}").read_all()
    ground = pc.coalesce(found["parent"], found["regime"])
    keys = [("ground", "ascending"), ("level", "ascending"), ("regime", "ascending")]
    return found.append_column("ground", ground).sort_by(keys).drop_columns(["ground"])
