"""The verb `import`."""

from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage


def import_(
    archive: opt.ArchivePath,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="GeoParquet or rasters of embeddings: files, or folders of them.",
        ),
    ],
    what: Annotated[
        str,
        typer.Option(help="Of what export wrote: embeddings, changes or events."),
    ] = "embeddings",
    form: Annotated[
        str | None,
        typer.Option(
            help="terradrift, major-tom, earth-index, clay, lgnd, vectors, alphaearth, tessera or raster [default: as columns, footers and bands tell]."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="What made the vectors [default: as the form tells]."),
    ] = None,
    patch_size: Annotated[
        int | None,
        typer.Option(
            metavar="METRES",
            help="Side of a patch of a new archive [default: as the squares are; of rasters 160].",
        ),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Year, month or day of files that do not say when."
        ),
    ] = None,
    years: Annotated[
        str | None,
        typer.Option(metavar="YEARS", help="Only these, such as 2019-2023,2025."),
    ] = None,
    footprints: Annotated[
        str | None,
        typer.Option(
            help="Major TOM: transposed or right [default: as pixel boxes tell]."
        ),
    ] = None,
    clear_percent: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="How clear observations are taken to be where no column says [default: not known, and detect passes them by].",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be read; write nothing."),
    ] = False,
) -> None:
    """Read published embeddings, or what `export` wrote, into ARCHIVE.

    An archive is made where there is none. What was put right or left out is said.
    """
    from terradrift.archive.importing import Request, bring

    with usage():
        request = Request(
            form=form,
            what=what,
            model=model,
            patch_size=patch_size,
            date=date,
            years=years,
            footprints=footprints,
            clear_percent=clear_percent,
            dry_run=dry_run,
        )
        say(bring(archive, paths, request))
