"""The verb `similar`."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import rows, say, usage


def similar(
    archive: opt.ArchivePath,
    change: Annotated[
        str | None, typer.Option(help="change_id to search with.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(help="event_id: search with its strongest change.")
    ] = None,
    patch: Annotated[str | None, typer.Option(help="patch_id, with --date.")] = None,
    date: Annotated[str | None, typer.Option(help="Date of --patch.")] = None,
    k: Annotated[int, typer.Option("-k", help="Rows wanted, 1 to 100,000.")] = 20,
    on: Annotated[str, typer.Option(help="delta, after, or before+after.")] = "delta",
    bbox: opt.Bbox = None,
    within: Annotated[
        str | None, typer.Option(help="GeoJSON text or vector file: only inside.")
    ] = None,
    between: Annotated[
        str | None, typer.Option(metavar="A/B", help="Only onsets in this period.")
    ] = None,
    kind: Annotated[int | None, typer.Option(help="Only this kind.")] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Only from this score.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="SQL condition on the columns of changes.")
    ] = None,
    output: opt.Output = None,
    as_json: opt.Json = False,
) -> None:
    """Find changes like this one; filters hold before the search."""
    import terradrift as td

    opened = td.open(archive)
    with usage():
        result = opened.similar(
            change=change,
            event=event,
            patch=patch,
            date=date,
            k=k,
            on=on,
            bbox=bbox,
            within=within,
            between=between,
            kind=kind,
            min_score=min_score,
            where=where,
        )
    if result.space != "raw":
        say(f"compared in {result.space}")
    if result.note:
        say(result.note)
    if output is not None:
        result.export(output)
        say(f"{len(result):,} rows to {output}")
        return
    columns = [
        "rank",
        "distance",
        "change_id",
        "onset",
        "persistence",
        "score",
        "kind",
        "longitude",
        "latitude",
    ]
    rows(result.to_arrow(), columns, as_json=as_json)
