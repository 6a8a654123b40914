"""The verb `export`."""

from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import say, usage


def export(
    archive: opt.ArchivePath,
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="TARGET",
            help="File or folder to write: .parquet, .gpkg, .fgb, .geojson, .csv, .json, .jsonl, .zarr, .tif, or a folder with --to.",
        ),
    ] = None,
    output: opt.Output = None,
    what: Annotated[
        str | None,
        typer.Option(
            help="changes, events, embeddings, scores, patches, labels, anomalies or, as layers of a GeoPackage, all [default: embeddings to partitioned, stac and zarr, patches to cog, else changes]."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="parquet, partitioned (by tile and year), stac, zarr, cog, gpkg, fgb, geojson, csv, json or jsonl [default: by the ending]."
        ),
    ] = None,
    model: opt.Model = None,
    method: Annotated[
        str | None,
        typer.Option(help="Whose anomalies: a method of detect, by default seasonal."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="First day of onset, start or observation, or month."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Last day, included.")
    ] = None,
    bbox: opt.Bbox = None,
    within: opt.Within = None,
    kind: opt.Kind = None,
    persistence: opt.Persistence = None,
    min_score: opt.MinScore = None,
    dtype: Annotated[
        str,
        typer.Option(
            help="Of vectors: float16, float32 or, in Zarr, int8 with scales."
        ),
    ] = "float16",
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the file that is there, or a folder that an export wrote.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the rows; write nothing.")
    ] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write a table of ARCHIVE for GIS, for engines and for other archives."""
    import terradrift as td
    from terradrift.archive.out import exporting

    path = target or output
    if path is None or (target and output):
        raise typer.BadParameter(
            "expected one file or folder to write: TARGET, or -o TARGET"
        )
    opened = td.open(archive)
    with usage():
        count = opened.export(
            path,
            what=what,
            to=to,
            model=model,
            method=method,
            since=since,
            until=until,
            bbox=bbox,
            within=within,
            kind=kind,
            persistence=persistence,
            min_score=min_score,
            dtype=dtype,
            overwrite=overwrite,
            dry_run=dry_run,
            quiet=quiet,
        )
    form = exporting.form_of(exporting.Request(target=path, to=to))
    named = "rows" if what == exporting.ALL else what or exporting.usual(form)
    rows = f"{count:,} {named}"
    say(f"{rows} would go to {path}" if dry_run else f"{rows} to {path}")
